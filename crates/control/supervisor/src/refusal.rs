//! Error replies in the product's JSON shape.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such route; holds the path.
    RouteNotFound(String),
    /// The route takes other methods; holds method and path.
    MethodNotAllowed(Method, String),
    /// Administration without valid credentials.
    Unauthorized,
    /// Something about the request is wrong; holds what to change.
    BadRequest(String),
    /// Nobody has that model; holds its name.
    ModelNotFound(String),
}

/// Whose error JSON a refusal is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// The product's own.
    Product,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::RouteNotFound(_) | Self::ModelNotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(..) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn message(self) -> String {
        match self {
            Self::RouteNotFound(path) => format!("Route not found: {path}"),
            Self::MethodNotAllowed(method, path) => {
                format!("Method not allowed: {method} {path}")
            }
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::BadRequest(message) => message,
            Self::ModelNotFound(model) => format!("model {model} does not exist"),
        }
    }

    /// The reply in the error JSON that the caller reads.
    pub(crate) fn told(self, manner: Manner) -> Response {
        let status = self.status();
        let is_missing = status == StatusCode::NOT_FOUND;
        let body = match manner {
            Manner::Product => return self.into_response(),
            Manner::Anthropic => {
                let kind = if is_missing { "not_found_error" } else { "invalid_request_error" };
                json!({ "type": "error", "error": { "type": kind, "message": self.message() } })
            }
            Manner::Google => {
                let name = if is_missing { "NOT_FOUND" } else { "INVALID_ARGUMENT" };
                let code = status.as_u16();
                json!({ "error": { "code": code, "message": self.message(), "status": name } })
            }
        };
        (status, Json(body)).into_response()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = Json(json!({
            "is_bifrost_error": false,
            "status_code": status.as_u16(),
            "error": { "message": self.message() },
            "extra_fields": { "routing_info": {} },
        }));
        // The scheme named here is what makes a browser ask for name and password.
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"bifrost\"")];
        match status {
            StatusCode::UNAUTHORIZED => (status, challenge, body).into_response(),
            _ => (status, body).into_response(),
        }
    }
}
