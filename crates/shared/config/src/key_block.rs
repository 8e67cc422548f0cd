//! The block of a key that only one provider has: `azure_key_config`, `vertex_key_config` ….

use ::provider::{BaseUrl, Provider};

use crate::login::{
    AwsKeys, AwsLogin, AwsRole, AzureApplication, AzureLogin, DatabricksLogin, GitHubApp,
    GoogleLogin, Login,
};
use crate::member::{ANY_LIST, Member, Object, Shape, TEXTS, member, switch};
use crate::place::Place;
use crate::reference::{self, Lookup};
use crate::secret::Secret;
use crate::url::Url;
use crate::view::{Context, View};

/// What the blocks of all providers can say, each filled by its own.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Server of the key.
    pub(crate) url: Option<Url>,
    /// The only model it serves.
    pub(crate) model_name: Option<String>,
    /// What its address is made of.
    pub(crate) place: Place,
    /// How it logs in.
    pub(crate) login: Option<Login>,
    /// Header lines beside the key's own: name and value.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Models by the names callers use, at the older place for aliases.
    pub(crate) deployments: Vec<(String, String)>,
}

/// Name of a provider's block.
pub(crate) fn name(row: &Provider) -> String {
    format!("{}{SUFFIX}", row.name.replace('-', "_"))
}

/// Ends the name of every block.
const SUFFIX: &str = "_key_config";

/// One member per provider that has a block.
pub(crate) const BLOCKS: [Member; 10] = [
    block("ollama_key_config", &SERVER),
    block("sgl_key_config", &SERVER),
    block("vllm_key_config", &VLLM),
    block("azure_key_config", &AZURE),
    block("bedrock_key_config", &BEDROCK),
    block("bedrock_mantle_key_config", &BEDROCK_MANTLE),
    block("databricks_key_config", &DATABRICKS),
    block("github_copilot_key_config", &GITHUB_COPILOT),
    block("replicate_key_config", &REPLICATE),
    block("vertex_key_config", &VERTEX),
];

const fn block(name: &'static str, object: &'static Object) -> Member {
    member(name, Shape::Object(object), object.doc)
}

const SERVER: Object = Object::closed("Server of this key.", &[URL]);
const VLLM: Object = Object::closed(
    "Server of this key.",
    &[
        URL,
        member("model_name", Shape::Text, "The only model this key serves; any model unless set."),
    ],
);
const URL: Member =
    member("url", Shape::Reference, "Base URL, for example http://localhost:11434.").required();

const AZURE: Object = Object::closed(
    "Resource of this key.",
    &[
        member("endpoint", Shape::Reference, "For example https://name.openai.azure.com.")
            .required(),
        member("tenant_id", Shape::Reference, "Directory of an application of Entra ID."),
        member("client_id", Shape::Reference, "Application of Entra ID."),
        member("client_secret", Shape::Secret, "Secret of the application."),
        member("scopes", TEXTS, "What tokens are asked for."),
        member("api_version", Shape::Reference, "Version of the older API.")
            .never("the paths that are used have no version"),
        DEPLOYMENTS,
    ],
);

const VERTEX: Object = Object::closed(
    "Project of this key.",
    &[
        member("project_id", Shape::Reference, "Project.").required(),
        member("region", Shape::Reference, "Location, for example us-central1 or global.")
            .required(),
        member("project_number", Shape::Reference, "Number of the project, for tuned models."),
        member(
            "auth_credentials",
            Shape::Secret,
            "JSON of a credential file; the machine's default credentials unless set.",
        ),
        member("force_single_region", Shape::Boolean, "Models are asked for in this region alone.")
            .never("a key is only ever used in its own region"),
        DEPLOYMENTS,
    ],
);

const AWS_MEMBERS: [Member; 9] = [
    member("region", Shape::Reference, "Region, for example us-east-1."),
    member("access_key", Shape::Secret, "Access key id."),
    member("secret_key", Shape::Secret, "Secret access key."),
    member("session_token", Shape::Secret, "Of temporary credentials."),
    member("role_arn", Shape::Reference, "Role that is assumed."),
    member("external_id", Shape::Reference, "What the owner of the role demands."),
    member("session_name", Shape::Reference, "Name of the session, `bifrost-session` unless set."),
    member("project_id", Shape::Reference, "Project of the account."),
    DEPLOYMENTS,
];

const BEDROCK: Object = Object::closed("Account and region of this key.", &BEDROCK_MEMBERS);
const BEDROCK_MEMBERS: [Member; 11] = crate::member::joined(&[
    &AWS_MEMBERS,
    &[
        member("arn", Shape::Reference, "ARN in front of model ids, of inference profiles."),
        member("batch_s3_config", Shape::Object(&BUCKETS), "Where batches are kept.")
            .later("uploads name their bucket themselves"),
    ],
]);
const BUCKETS: Object =
    Object::closed("Where batches are kept.", &[member("buckets", ANY_LIST, "Buckets.")]);
const BEDROCK_MANTLE: Object = Object::closed("Account and region of this key.", &AWS_MEMBERS);

const DATABRICKS: Object = Object::closed(
    "Workspace of this key.",
    &[
        member("workspace_url", Shape::Reference, "For example https://x.cloud.databricks.com.")
            .required(),
        member(
            "api_format",
            Shape::Choice(&["auto", "model_serving", "ai_gateway"]),
            "Which of its APIs is used.",
        ),
        member("client_id", Shape::Reference, "Service principal."),
        member("client_secret", Shape::Secret, "Secret of the service principal."),
        switch("forward_gateway_tags", "The workspace is told on whose behalf.")
            .later("callers' names are not sent on yet"),
    ],
);

const GITHUB_COPILOT: Object = Object::closed(
    "GitHub App of this key.",
    &[
        member("app_id", Shape::Reference, "The app.").required(),
        member("installation_id", Shape::Reference, "Number of its installation.").required(),
        member("repository_id", Shape::Reference, "Number of a repository of it.").required(),
        member("private_key", Shape::Secret, "The app's private key, PEM.").required(),
        member("github_domain", Shape::Reference, "Domain of a GitHub Enterprise."),
    ],
);

const REPLICATE: Object = Object::closed(
    "How models of this key are run.",
    &[switch("use_deployments_endpoint", "Models are deployments."), DEPLOYMENTS],
);

/// Where aliases stood in version 1.4.
const DEPLOYMENTS: Member =
    member("deployments", Shape::Map(&Shape::Text), "Older place of `aliases`.");

/// Of AWS, where nobody says another.
const REGION_DEFAULT: &str = "us-east-1";

/// Variables that name a region, as AWS's own tools read them.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

const SESSION_NAME_DEFAULT: &str = "bifrost-session";

/// What Azure tokens are asked for where nothing else is said.
const AZURE_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// Types of Google's credential files.
const GOOGLE_TYPES: [&str; 4] =
    ["service_account", "authorized_user", "external_account", "impersonated_service_account"];

/// Reads the block that belongs to `row` from a key. `has_value`: the key has a value to send.
pub(crate) fn read(
    key: &View<'_>,
    row: &'static Provider,
    has_value: bool,
    context: &mut Context<'_>,
) -> Block {
    let reader = match row.name {
        "ollama" | "sgl" => Reader { object: &SERVER, read: read_server },
        "vllm" => Reader { object: &VLLM, read: read_vllm },
        "azure" => Reader { object: &AZURE, read: read_azure },
        "vertex" => Reader { object: &VERTEX, read: read_vertex },
        "bedrock" => Reader { object: &BEDROCK, read: read_bedrock },
        "bedrock_mantle" => Reader { object: &BEDROCK_MANTLE, read: read_bedrock_mantle },
        "databricks" => Reader { object: &DATABRICKS, read: read_databricks },
        "replicate" => Reader { object: &REPLICATE, read: read_replicate },
        "github-copilot" => Reader { object: &GITHUB_COPILOT, read: read_github_copilot },
        _ => return Block::default(),
    };
    let view = key.object(&name(row), reader.object);
    let block = (reader.read)(&view, has_value, context);
    if view.has("deployments") {
        context.warn(view.at("deployments"), "belongs into `aliases` of the key now");
    }
    block
}

struct Reader {
    object: &'static Object,
    read: fn(&View<'_>, bool, &mut Context<'_>) -> Block,
}

fn read_server(view: &View<'_>, _: bool, context: &mut Context<'_>) -> Block {
    Block { url: read_url(view, "url", context), ..Block::default() }
}

fn read_vllm(view: &View<'_>, _: bool, context: &mut Context<'_>) -> Block {
    let model_name = view.text("model_name").filter(|name| !name.is_empty()).map(str::to_owned);
    Block { url: read_url(view, "url", context), model_name, ..Block::default() }
}

fn read_azure(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    let mut scopes = view.texts("scopes");
    scopes.retain(|scope| !scope.is_empty());
    if scopes.is_empty() {
        scopes.push(AZURE_SCOPE.to_owned());
    }
    let application = read_azure_application(view, context);
    // A key's value comes before the machine's own identity, and behind an application.
    let is_needed = application.is_some() || !has_value;
    Block {
        url: read_host_url(view, "endpoint", context),
        login: is_needed.then_some(Login::Azure(AzureLogin { application, scopes })),
        deployments: read_deployments(view),
        ..Block::default()
    }
}

fn read_azure_application(view: &View<'_>, context: &mut Context<'_>) -> Option<AzureApplication> {
    let parts = ["tenant_id", "client_id", "client_secret"];
    let given = parts.map(|name| view.has(name));
    if given.contains(&true) && given.contains(&false) {
        let hint = "an application needs `tenant_id`, `client_id` and `client_secret`";
        context.hinted(view.here(), "the application is not complete", hint);
    }
    Some(AzureApplication {
        tenant_id: view.reference("tenant_id", context)?,
        client_id: view.reference("client_id", context)?,
        client_secret: view.secret("client_secret", context)?,
    })
}

fn read_vertex(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    if !view.is_present() {
        let hint = "add `vertex_key_config.project_id` and `.region`";
        context.hinted(view.here(), "the key names no project", hint);
        return Block::default();
    }
    let credentials = view.secret("auth_credentials", context).unwrap_or_default();
    check_google(&credentials, view, context);
    let is_needed = !has_value || !credentials.is_empty();
    Block {
        place: Place {
            region: read_segment(view, "region", context),
            project: read_segment(view, "project_id", context),
            project_number: view.reference("project_number", context),
            ..Place::default()
        },
        login: is_needed.then_some(Login::Google(GoogleLogin { credentials })),
        deployments: read_deployments(view),
        ..Block::default()
    }
}

fn check_google(credentials: &Secret, view: &View<'_>, context: &mut Context<'_>) {
    if credentials.is_empty() {
        return;
    }
    let file: Option<serde_json::Value> = serde_json::from_str(credentials.expose()).ok();
    let kind = file.as_ref().and_then(|file| file["type"].as_str());
    if !kind.is_some_and(|kind| GOOGLE_TYPES.contains(&kind)) {
        let hint = format!("its `type` must be one of {}", GOOGLE_TYPES.join(", "));
        let message = "must be the JSON of a Google credential file";
        context.hinted(view.at("auth_credentials"), message, hint);
    }
}

fn read_bedrock(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    let region = read_region(view, context).unwrap_or_else(|| REGION_DEFAULT.to_owned());
    let block = read_aws(view, "bedrock", region, has_value, context);
    let arn = view.reference("arn", context);
    Block { place: Place { arn, ..block.place }, ..block }
}

fn read_bedrock_mantle(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    let Some(region) = read_region(view, context) else {
        let hint = "add `bedrock_mantle_key_config.region`";
        context.hinted(view.here(), "the key names no region", hint);
        return Block::default();
    };
    let block = read_aws(view, "bedrock-mantle", region, has_value, context);
    let project = block.place.project.clone();
    // Each maker's API has its own name for it.
    let names = ["openai-project", "anthropic-workspace-id"];
    let headers = project.iter().flat_map(|it| names.map(|name| (name, it.clone()))).collect();
    Block { headers, ..block }
}

fn read_region(view: &View<'_>, context: &mut Context<'_>) -> Option<String> {
    if view.has("region") {
        return read_segment(view, "region", context);
    }
    REGION_VARIABLES.iter().find_map(|name| match reference::variable(name, context.env) {
        Lookup::Value(region) => Some(region),
        Lookup::Unset(_) | Lookup::Vault => None,
    })
}

fn read_aws(
    view: &View<'_>,
    service: &'static str,
    region: String,
    has_value: bool,
    context: &mut Context<'_>,
) -> Block {
    let fixed = read_aws_keys(view, context);
    let role = read_aws_role(view, context);
    let login = Login::Aws(AwsLogin { service, region: region.clone(), fixed, role });
    Block {
        place: Place {
            region: Some(region),
            project: view.reference("project_id", context),
            ..Place::default()
        },
        login: (!has_value).then_some(login),
        deployments: read_deployments(view),
        ..Block::default()
    }
}

fn read_aws_keys(view: &View<'_>, context: &mut Context<'_>) -> Option<AwsKeys> {
    let (access_key, secret_key) =
        (view.secret("access_key", context), view.secret("secret_key", context));
    let session_token = view.secret("session_token", context);
    if access_key.is_some() != secret_key.is_some() {
        let hint = "`access_key` and `secret_key` belong together; leave both out for the \
                    machine's own credentials";
        context.hinted(view.here(), "one half of the credentials is missing", hint);
    }
    Some(AwsKeys { access_key: access_key?, secret_key: secret_key?, session_token })
}

fn read_aws_role(view: &View<'_>, context: &mut Context<'_>) -> Option<AwsRole> {
    let arn = view.reference("role_arn", context);
    let external_id = view.reference("external_id", context);
    let session_name = view.reference("session_name", context);
    if arn.is_none() && (external_id.is_some() || session_name.is_some()) {
        context.warn(view.here(), "without `role_arn` no role is assumed");
    }
    Some(AwsRole {
        arn: arn?,
        external_id,
        session_name: session_name.unwrap_or_else(|| SESSION_NAME_DEFAULT.to_owned()),
    })
}

fn read_databricks(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    let url = read_host_url(view, "workspace_url", context);
    let client_id = view.reference("client_id", context);
    let client_secret = view.secret("client_secret", context);
    if client_id.is_some() != client_secret.is_some() {
        let hint = "`client_id` and `client_secret` belong together";
        context.hinted(view.here(), "one half of the service principal is missing", hint);
    }
    let login = match (&url, client_id, client_secret) {
        (Some(url), Some(client_id), Some(client_secret)) if !has_value => {
            let workspace_url = url.clone();
            Some(Login::Databricks(DatabricksLogin { workspace_url, client_id, client_secret }))
        }
        _ => None,
    };
    if login.is_none() && !has_value {
        let why = "the key has neither a `value` nor a service principal and cannot be used";
        context.warn(view.here(), why);
    }
    const SERVING: &str = "/serving-endpoints";
    const GATEWAY: &str = "/ai-gateway/mlflow/v1";
    // Unless the key says it, the name of a model does: those of the catalogue have dots.
    let (plain, dotted) = match view.text("api_format") {
        Some("ai_gateway") => (GATEWAY, GATEWAY),
        Some("model_serving") => (SERVING, SERVING),
        _ => (SERVING, GATEWAY),
    };
    let place = Place { api_path: Some(plain), dotted_api_path: Some(dotted), ..Place::default() };
    Block { url, place, login, ..Block::default() }
}

fn read_replicate(view: &View<'_>, _: bool, _: &mut Context<'_>) -> Block {
    let are_deployments = view.boolean("use_deployments_endpoint");
    let place = Place { api_path: Some(replicate_path(are_deployments)), ..Place::default() };
    Block { place, deployments: read_deployments(view), ..Block::default() }
}

/// Where predictions of named models are asked for: of deployments, or of models that are public.
pub(crate) fn replicate_path(are_deployments: bool) -> &'static str {
    if are_deployments { "/v1/deployments" } else { "/v1/models" }
}

fn read_github_copilot(view: &View<'_>, has_value: bool, context: &mut Context<'_>) -> Block {
    if !view.is_present() {
        if !has_value {
            let hint = "add a Copilot token as `value`, or `github_copilot_key_config`";
            context.hinted(view.here(), "the key has no credentials", hint);
        }
        return Block::default();
    }
    let domain = view.reference("github_domain", context).map(|domain| bare_domain(&domain));
    let app = read_github_app(view, domain.clone(), context);
    Block {
        place: Place { domain, ..Place::default() },
        login: app.filter(|_| !has_value).map(Login::GitHubApp),
        ..Block::default()
    }
}

fn read_github_app(
    view: &View<'_>,
    domain: Option<String>,
    context: &mut Context<'_>,
) -> Option<GitHubApp> {
    let app_id = view.needed_reference("app_id", context);
    let installation_id = view.needed_reference("installation_id", context);
    let repository_id = view.needed_reference("repository_id", context);
    let private_key = view.needed_reference("private_key", context);
    let is_number = |text: &str| text.parse::<u64>().is_ok_and(|number| number > 0);
    for (name, value) in [("installation_id", &installation_id), ("repository_id", &repository_id)]
    {
        if value.as_deref().is_some_and(|value| !is_number(value)) {
            context.problem(view.at(name), "must be a number");
        }
    }
    Some(GitHubApp {
        app_id: app_id?,
        installation_id: installation_id?,
        repository_id: repository_id?.parse().ok()?,
        private_key: Secret::new(private_key?),
        domain,
    })
}

/// A domain without scheme, path and the `api.` in front.
fn bare_domain(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let rest = text.split_once("://").map_or(&*text, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    host.strip_prefix("api.").unwrap_or(host).to_owned()
}

/// A word that becomes a part of host names and paths.
fn read_segment(view: &View<'_>, name: &str, context: &mut Context<'_>) -> Option<String> {
    let text = view.needed_reference(name, context)?;
    check_segment(&text, view, name, context);
    Some(text)
}

/// Reports what cannot stand in a host name or a path.
pub(crate) fn check_segment(text: &str, view: &View<'_>, name: &str, context: &mut Context<'_>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !text.bytes().all(is_plain) {
        context.problem(view.at(name), "must have letters, digits and `-` `_` `.` `:` only");
    }
}

fn read_deployments(view: &View<'_>) -> Vec<(String, String)> {
    let entries = view.entries("deployments").into_iter();
    entries.filter_map(|(name, node, _)| Some((name.to_owned(), node.text()?.to_owned()))).collect()
}

/// Reads a URL that may stand in the environment.
pub(crate) fn read_url(view: &View<'_>, name: &str, context: &mut Context<'_>) -> Option<Url> {
    let text = view.needed_reference(name, context)?;
    parse_url(&text, view, name, context)
}

/// The same where a bare host stands for its `https` URL.
pub(crate) fn read_host_url(view: &View<'_>, name: &str, context: &mut Context<'_>) -> Option<Url> {
    let text = view.needed_reference(name, context)?;
    let scheme = if text.contains("://") { "" } else { "https://" };
    // These addresses are copied with a slash at the end, which changes nothing.
    parse_url(&format!("{scheme}{}", text.trim().trim_end_matches('/')), view, name, context)
}

fn parse_url(text: &str, view: &View<'_>, name: &str, context: &mut Context<'_>) -> Option<Url> {
    match Url::parse(text.trim()) {
        Ok(url) if url.is_link_local() => {
            context.problem(view.at(name), "addresses of the local link are never called");
            None
        }
        Ok(url) => {
            if text.ends_with('/') {
                context.warn(view.at(name), "the slash at the end is left out");
            }
            Some(url)
        }
        Err(message) => {
            context.hinted(view.at(name), message, "write it like https://host[:port][/path]");
            None
        }
    }
}

/// What says where a key of `row` is served, for those that name their own server.
pub(crate) fn address_member(row: &Provider) -> Option<String> {
    let member = match row.name {
        "azure" => "endpoint",
        "databricks" => "workspace_url",
        _ => "url",
    };
    (row.base_url == BaseUrl::PerKey).then(|| format!("{}.{member}", name(row)))
}
