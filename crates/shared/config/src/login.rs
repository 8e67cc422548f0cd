//! How keys log in where no fixed value is sent: what is needed to fetch credentials that expire.
//!
//! A login is its own identity: two keys with the same one share their credentials, and credentials
//! outlive a reload that leaves their login alone.

use crate::secret::Secret;
use crate::url::Url;

/// What the control plane fetches credentials with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    /// Requests are signed with AWS credentials.
    Aws(AwsLogin),
    /// A Google access token.
    Google(GoogleLogin),
    /// An access token of Microsoft Entra ID.
    Azure(AzureLogin),
    /// An access token of a Databricks workspace.
    Databricks(DatabricksLogin),
    /// A Copilot token, fetched by a GitHub App.
    GitHubApp(GitHubApp),
}

/// Where AWS credentials come from and what is signed with them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsLogin {
    /// Signing name of the service: `bedrock`, `bedrock-mantle`, `s3`.
    pub service: &'static str,
    /// Region of the service.
    pub region: String,
    /// Fixed credentials; else those of the environment, a profile, a web identity, a container or
    /// the machine, in AWS's own order.
    pub fixed: Option<AwsKeys>,
    /// A role that is assumed with them.
    pub role: Option<AwsRole>,
}

/// Fixed AWS credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsKeys {
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// Set for temporary ones.
    pub session_token: Option<Secret>,
}

/// An AWS role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsRole {
    /// ARN of the role.
    pub arn: String,
    /// What its owner demands of strangers.
    pub external_id: Option<String>,
    /// Name of the session in the owner's logs.
    pub session_name: String,
}

/// Where Google tokens come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GoogleLogin {
    /// Content of a credential file; empty for the machine's application default credentials.
    pub credentials: Secret,
}

/// Where Entra tokens come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureLogin {
    /// An application; else the environment, a workload identity, a managed identity or the
    /// command-line tool, in Azure's own order.
    pub application: Option<AzureApplication>,
    /// What is asked for.
    pub scopes: Vec<String>,
}

/// An application of Entra ID with its secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureApplication {
    /// Directory.
    pub tenant_id: String,
    /// Application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// A service principal of a Databricks workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatabricksLogin {
    /// The workspace.
    pub workspace_url: Url,
    /// Service principal.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// A GitHub App that is installed where Copilot is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GitHubApp {
    /// The app.
    pub app_id: String,
    /// Its installation, a number.
    pub installation_id: String,
    /// A repository of the installation.
    pub repository_id: u64,
    /// The app's private key, PEM.
    pub private_key: Secret,
    /// Domain of a GitHub Enterprise with data residency; `github.com` unless set.
    pub domain: Option<String>,
}
