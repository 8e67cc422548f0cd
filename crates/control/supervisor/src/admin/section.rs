//! Section `auth_config` of the configuration file: the administrator.

use config::Secret;
use serde::Deserialize;
use serde_json::Value;

use super::Administrator;

/// The file as far as it is read here.
#[derive(Deserialize)]
struct File {
    auth_config: Option<Section>,
    governance: Option<Governance>,
}

#[derive(Deserialize)]
struct Governance {
    auth_config: Option<Section>,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    is_enabled: bool,
    #[serde(default)]
    admin_username: Value,
    #[serde(default)]
    admin_password: Value,
}

/// The administrator, where the file has one switched on. A variable that is not set makes an
/// administrator that nobody can be.
///
/// # Errors
/// What is wrong, with its path: an unreadable section must not leave administration open.
pub(crate) fn read(
    text: &[u8],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Administrator>, String> {
    let file: File =
        serde_json::from_slice(text).map_err(|error| format!("auth_config: {error}"))?;
    let section = file.auth_config.or_else(|| file.governance?.auth_config);
    let Some(section) = section.filter(|section| section.is_enabled) else { return Ok(None) };
    let resolve = |name: &str, value: &Value| {
        reference(value, env).ok_or_else(|| {
            format!("auth_config.{name}: must be a string or an object with a value")
        })
    };
    let username = resolve("admin_username", &section.admin_username)?;
    let password = Secret::new(resolve("admin_password", &section.admin_password)?);
    Ok(Some(Administrator { username, password }))
}

/// A string, `env.NAME`, or one of the objects that say the same; `None` for anything else.
fn reference(value: &Value, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = |value: &Value| match value.as_str()?.strip_prefix("env.") {
        Some(name) => Some(env(name).unwrap_or_default()),
        None => value.as_str().map(str::to_owned),
    };
    match value {
        Value::Null => Some(String::new()),
        Value::Object(members) => {
            let named = members.get("env_var").or_else(|| members.get("ref"));
            let given = members.get("value").and_then(text).filter(|given| !given.is_empty());
            given.or_else(|| named.and_then(text))
        }
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn administrator(text: &str) -> Result<Option<Administrator>, String> {
        read(text.as_bytes(), &|name| (name == "PASSWORD").then(|| "secret".to_owned()))
    }

    #[test]
    fn every_way_to_write_a_password_is_understood() {
        for password in [
            r#""secret""#,
            r#""env.PASSWORD""#,
            r#"{"value":"secret"}"#,
            r#"{"value":"","env_var":"env.PASSWORD","from_env":true}"#,
            r#"{"ref":"env.PASSWORD","type":"env"}"#,
        ] {
            let section = format!(
                r#"{{"is_enabled":true,"admin_username":"root","admin_password":{password}}}"#
            );
            for file in [
                format!(r#"{{"auth_config":{section}}}"#),
                format!(r#"{{"governance":{{"auth_config":{section}}}}}"#),
            ] {
                let found = administrator(&file).expect("readable").expect("switched on");
                assert_eq!(found.username, "root");
                assert_eq!(found.password.expose(), "secret", "{password}");
            }
        }
    }

    #[test]
    fn nothing_is_guarded_unless_switched_on() {
        for file in ["{}", r#"{"auth_config":{"admin_username":"root","admin_password":"x"}}"#] {
            assert_eq!(administrator(file), Ok(None));
        }
    }

    #[test]
    fn an_unset_variable_makes_an_administrator_nobody_can_be() {
        let file = r#"{"auth_config":{"is_enabled":true,"admin_password":"env.UNSET"}}"#;
        let found = administrator(file).expect("readable").expect("switched on");
        assert!(found.username.is_empty() && found.password.is_empty());
    }

    #[test]
    fn an_unreadable_section_is_a_mistake_and_not_an_open_door() {
        for section in [r#"{"is_enabled":1}"#, r#"{"is_enabled":true,"admin_username":7}"#, "3"] {
            let refused = administrator(&format!(r#"{{"auth_config":{section}}}"#));
            assert!(refused.expect_err("a mistake").starts_with("auth_config"), "{section}");
        }
    }
}
