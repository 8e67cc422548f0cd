//! AWS credentials: fixed ones, those of the environment in AWS's own order (variables, profile, web
//! identity, container, machine), and roles assumed with either.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use config::{AwsKeys, AwsLogin, AwsRole};
use http_body_util::BodyExt;

use crate::grant::Grant;
use crate::web::Exchange;
use crate::world::World;

/// Fetches credentials.
pub(crate) async fn fetch(login: &AwsLogin, world: &World) -> Result<Grant, String> {
    let base = match &login.fixed {
        Some(keys) => SharedCredentialsProvider::new(fixed(keys)),
        None => SharedCredentialsProvider::new(ambient(login, world).await),
    };
    let credentials = match &login.role {
        None => base.provide_credentials().await,
        Some(role) => assume(role, base, login, world).await.provide_credentials().await,
    };
    let credentials = credentials.map_err(|error| reasons(&error))?;
    let left = |end: SystemTime| end.duration_since((world.wall)()).unwrap_or(Duration::ZERO);
    let lifetime = credentials.expiry().map(left);
    Ok(Grant::aws(credentials, lifetime))
}

/// What went wrong, from the outermost reason to the innermost. Never by `Debug`, which would print
/// whole answers.
fn reasons(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn fixed(keys: &AwsKeys) -> Credentials {
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    let (access, secret) = (keys.access_key.expose(), keys.secret_key.expose());
    Credentials::new(access, secret, token, None, "configuration")
}

async fn ambient(login: &AwsLogin, world: &World) -> DefaultCredentialsChain {
    let config = ProviderConfig::without_region()
        .with_region(Some(Region::new(login.region.clone())))
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_http_client(http_client(world))
        .with_sleep_impl(TokioSleep::new());
    let region = Region::new(login.region.clone());
    DefaultCredentialsChain::builder().configure(config).region(region).build().await
}

async fn assume(
    role: &AwsRole,
    base: SharedCredentialsProvider,
    login: &AwsLogin,
    world: &World,
) -> AssumeRoleProvider {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(world))
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new());
    // As AWS's own tools do.
    let endpoint = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
    config.set_endpoint_url(endpoint.iter().find_map(|name| world.variable(name)));
    let builder = AssumeRoleProvider::builder(&role.arn)
        .session_name(&role.session_name)
        .region(Region::new(login.region.clone()))
        .configure(&config.build());
    let builder = match &role.external_id {
        Some(id) => builder.external_id(id),
        None => builder,
    };
    builder.build_from_provider(base).await
}

/// AWS's packages, over the same client as everything else.
fn http_client(world: &World) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(Arc::clone(&world.web)));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Arc<dyn Exchange>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let web = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let failed = |error: String| ConnectorError::io(error.into());
            let request = request.try_into_http1x().map_err(|error| failed(error.to_string()))?;
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| failed(error.to_string()))?;
            let request = http::Request::from_parts(head, body.to_bytes());
            let reply = web.send(request).await.map_err(failed)?;
            let reply = reply.map(|body: Bytes| SdkBody::from(body));
            HttpResponse::try_from(reply).map_err(|error| failed(error.to_string()))
        })
    }
}
