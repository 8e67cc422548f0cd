//! What addresses and paths of cloud providers are made of: `{region}` and the like in the provider
//! table stand for these.

/// Particulars of a key, or of one of its aliases. What is not set there is the key's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Region or location.
    pub region: Option<String>,
    /// Project id.
    pub project: Option<String>,
    /// Project number, where tuned models live.
    pub project_number: Option<String>,
    /// ARN in front of model ids: an inference profile.
    pub arn: Option<String>,
    /// Path of the API that was chosen of several.
    pub api_path: Option<&'static str>,
    /// The same for models whose names have a dot.
    pub dotted_api_path: Option<&'static str>,
    /// Domain of a GitHub Enterprise.
    pub domain: Option<String>,
}

impl Place {
    /// This place, and `other` where nothing is said here.
    pub fn or(&self, other: &Self) -> Self {
        let first = |own: &Option<String>, theirs: &Option<String>| own.clone().or(theirs.clone());
        Self {
            region: first(&self.region, &other.region),
            project: first(&self.project, &other.project),
            project_number: first(&self.project_number, &other.project_number),
            arn: first(&self.arn, &other.arn),
            api_path: self.api_path.or(other.api_path),
            dotted_api_path: self.dotted_api_path.or(other.dotted_api_path),
            domain: first(&self.domain, &other.domain),
        }
    }

    /// `template` with every name in braces replaced; none where nothing is known for a name.
    /// Names of other things than places stay: `{model}`.
    pub fn fill(&self, template: &str) -> Option<String> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            match name {
                "region" => filled.push_str(self.region.as_deref()?),
                "location_host" => filled.push_str(&location_host(self.region.as_deref()?)),
                "project" => filled.push_str(self.project.as_deref()?),
                // Google takes the id of a project in place of its number.
                "project_number" => {
                    filled.push_str(self.project_number.as_deref().or(self.project.as_deref())?);
                }
                "arn_slash" => {
                    let arn = self.arn.as_deref().unwrap_or_default();
                    if !arn.is_empty() {
                        push_encoded(&mut filled, arn);
                        push_encoded(&mut filled, "/");
                    }
                }
                "api_path" => filled.push_str(self.api_path?),
                "dotted_api_path" => filled.push_str(self.dotted_api_path?),
                "copilot_host" => filled.push_str(&copilot_host(self.domain.as_deref())),
                other => {
                    filled.push('{');
                    filled.push_str(other);
                    filled.push('}');
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Vertex has a server per region, one for the whole world, and one for each part of it.
fn location_host(region: &str) -> String {
    match region {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{region}.rep.googleapis.com"),
        _ => format!("{region}-aiplatform.googleapis.com"),
    }
}

fn copilot_host(domain: Option<&str>) -> String {
    match domain {
        None => "api.githubcopilot.com".to_owned(),
        Some(domain) => format!("copilot-api.{domain}"),
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_replaced() {
        let place = |region: &str| Place { region: Some(region.to_owned()), ..Place::default() };
        for (region, expected) in [
            ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
            ("global", "https://aiplatform.googleapis.com"),
            ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ] {
            let filled = place(region).fill("https://{location_host}");
            assert_eq!(filled.as_deref(), Some(expected));
        }
        let key = Place {
            project: Some("p".to_owned()),
            arn: Some("arn:aws:x/y".to_owned()),
            ..place("r")
        };
        for (template, expected) in [
            ("/v1/projects/{project}/locations/{region}", Some("/v1/projects/p/locations/r")),
            ("/projects/{project_number}/{model}", Some("/projects/p/{model}")),
            ("/model/{arn_slash}", Some("/model/arn%3Aaws%3Ax%2Fy%2F")),
            ("{api_path}/x", None),
            ("/plain", Some("/plain")),
        ] {
            assert_eq!(key.fill(template).as_deref(), expected, "{template}");
        }
        assert_eq!(Place::default().fill("/model/{arn_slash}").as_deref(), Some("/model/"));
        assert_eq!(Place::default().fill("{region}"), None);
    }

    #[test]
    fn an_alias_says_only_what_is_different() {
        let key = Place {
            region: Some("eu-west-1".to_owned()),
            project: Some("p".to_owned()),
            ..Place::default()
        };
        let alias = Place { region: Some("us-east-1".to_owned()), ..Place::default() };
        let both = alias.or(&key);
        assert_eq!(
            (both.region.as_deref(), both.project.as_deref()),
            (Some("us-east-1"), Some("p"))
        );
    }
}
