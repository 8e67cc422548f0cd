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
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::RouteNotFound(_) => StatusCode::NOT_FOUND,
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
        }
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
