//! Signature Version 4 of AWS, by AWS's own package.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as sign_request,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use snapshot::Unsigned;

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'s> {
    /// Signing name of the service.
    pub(crate) service: &'s str,
    /// Region.
    pub(crate) region: &'s str,
}

/// Appends `authorization`, `x-amz-date` and whatever else the signature needs.
pub(crate) fn sign(
    request: &Unsigned<'_>,
    credentials: &Credentials,
    scope: Scope<'_>,
    now: SystemTime,
    lines: &mut Vec<u8>,
) -> Result<(), String> {
    let identity = Identity::from(credentials.clone());
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(now)
        .settings(settings(scope.service))
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let url = format!("https://{}{}", request.authority, request.path);
    let headers =
        std::iter::once(("host", request.authority)).chain(request.headers.iter().copied());
    let body = SignableBody::Bytes(request.body);
    let signable = SignableRequest::new(request.method, &url, headers, body)
        .map_err(|error| error.to_string())?;
    let signed = sign_request(signable, &parameters).map_err(|error| error.to_string())?;
    for (name, value) in signed.output().headers() {
        for piece in [name, ": ", value, "\r\n"] {
            lines.extend_from_slice(piece.as_bytes());
        }
    }
    Ok(())
}

/// S3 has paths of its own rules, and wants the body's hash in a header.
fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}
