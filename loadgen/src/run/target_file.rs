//! A peer that is measured beside the gateway: where it listens and what it wants to be asked, from a file.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// Folder of the files that a bare name is looked for in, from the working directory.
const FOLDER: &str = "loadgen/targets";

/// The path and model of most.
pub(crate) const CHAT_PATH: &str = "/v1/chat/completions";
pub(crate) const CHAT_MODEL: &str = "gpt-4o-mini";

/// A target file, read and filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The `Host` header.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) model: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) version: Option<String>,
}

/// The file as it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    address: String,
    #[serde(default = "chat_path")]
    path: String,
    #[serde(default = "chat_model")]
    model: String,
    host: Option<String>,
    version_command: Option<Vec<String>>,
    #[serde(default)]
    headers: toml::Table,
}

fn chat_path() -> String {
    CHAT_PATH.to_owned()
}

fn chat_model() -> String {
    CHAT_MODEL.to_owned()
}

impl Peer {
    /// Reads what a word of `--targets` names: a file, or the name of one in `loadgen/targets`, with
    /// `@IP:PORT` behind it for another address than the file's. `upstream` is what `${upstream}` becomes.
    pub(crate) fn read(word: &str, upstream: SocketAddr) -> Result<Self, TargetError> {
        let (file, address) = match word.rsplit_once('@') {
            Some((file, address)) => (path_of(file), Some(address)),
            None => (path_of(word), None),
        };
        let wrong = |problem: String| TargetError { file: file.clone(), problem };
        let text = fs::read_to_string(&file).map_err(|error| {
            let known =
                "direct, l4, l4-again, gateway, or a file such as loadgen/targets/nginx.toml";
            wrong(format!("{error}; a target is one of {known}"))
        })?;
        let environment = |name: &str| std::env::var(name).ok();
        let scope = Scope { upstream, environment: &environment };
        Self::parse(&text, address, &scope).map_err(wrong)
    }

    fn parse(text: &str, address: Option<&str>, scope: &Scope<'_>) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if file.name.is_empty() || !file.name.chars().all(is_good) {
            return Err(format!("name {:?} may have a-z, 0-9, `.` and `-`", file.name));
        }
        let address = address_of(&scope.fill(address.unwrap_or(&file.address))?)?;
        let host = file.host.map(|host| scope.fill(&host)).transpose()?;
        Ok(Self {
            name: file.name,
            address,
            host: host.unwrap_or_else(|| address.to_string()),
            path: scope.fill(&file.path)?,
            model: scope.fill(&file.model)?,
            headers: headers(&file.headers, scope)?,
            version: file.version_command.as_deref().and_then(version),
        })
    }
}

fn path_of(word: &str) -> PathBuf {
    match word.contains('/') || word.ends_with(".toml") {
        true => PathBuf::from(word),
        false => Path::new(FOLDER).join(format!("{word}.toml")),
    }
}

/// `127.0.0.1:80`, `[::1]:80`, `:80` or `localhost:80`. Other names are not resolved: what is measured is on
/// this machine or has an address that one wants to see in the result.
fn address_of(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix(':').or_else(|| text.strip_prefix("localhost:"));
    let numeric = local.map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| {
        format!(
            "address {text:?} must be IP:PORT, such as 127.0.0.1:8080; only plain HTTP is spoken"
        )
    })
}

/// The headers with their values filled in.
fn headers(table: &toml::Table, scope: &Scope<'_>) -> Result<Vec<(String, String)>, String> {
    let filled = table.iter().map(|(name, value)| {
        let text =
            value.as_str().ok_or_else(|| format!("header {name}: the value must be text"))?;
        Ok((name.to_ascii_lowercase(), scope.fill(text)?))
    });
    filled.collect()
}

/// The first line that a command prints, on either output.
fn version(command: &[String]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    let lines = [output.stdout, output.stderr];
    let lines = lines.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let line = lines.iter().flat_map(|text| text.lines()).find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}

/// What `${…}` may name.
struct Scope<'a> {
    upstream: SocketAddr,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Scope<'_> {
    /// Replaces `${NAME}` and `${NAME:-default}`.
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after
                .split_once('}')
                .ok_or_else(|| format!("{text:?} has a `${{` without its `}}`"))?;
            filled.push_str(before);
            filled.push_str(&self.value(name)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str) -> Result<String, String> {
        let (name, default) = match name.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (name, None),
        };
        if name == "upstream" {
            return Ok(self.upstream.to_string());
        }
        let value = (self.environment)(name).or_else(|| default.map(str::to_owned));
        value.ok_or_else(|| format!("the environment variable {name} is not set"))
    }
}

/// A target that cannot be used.
#[derive(Debug)]
pub(crate) struct TargetError {
    file: PathBuf,
    problem: String,
}

impl fmt::Display for TargetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "target {}: {}", self.file.display(), self.problem.trim_end())
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, address: Option<&str>) -> Result<Peer, String> {
        let environment = |name: &str| (name == "KEY").then(|| "sk-1".to_owned());
        let upstream = SocketAddr::from(([127, 0, 0, 1], 9000));
        Peer::parse(text, address, &Scope { upstream, environment: &environment })
    }

    #[test]
    fn name_and_address_are_enough() {
        let peer = parse("name = \"nginx\"\naddress = \":81\"\n", None).unwrap();
        assert_eq!(peer.address.to_string(), "127.0.0.1:81");
        assert_eq!((peer.host.as_str(), peer.path.as_str()), ("127.0.0.1:81", CHAT_PATH));
        assert_eq!(peer.headers, []);
        let moved = parse("name = \"nginx\"\naddress = \":81\"\n", Some("127.0.0.2:82")).unwrap();
        assert_eq!(moved.address.to_string(), "127.0.0.2:82");
    }

    #[test]
    fn values_are_filled_in() {
        let text = "name = \"a\"\naddress = \"localhost:1\"\nmodel = \"${MODEL:-m}\"\n[headers]\n\
                    Authorization = \"Bearer ${KEY}\"\nx-host = \"http://${upstream}/v1\"\n";
        let peer = parse(text, None).unwrap();
        assert_eq!(peer.model, "m");
        let expected = [("authorization", "Bearer sk-1"), ("x-host", "http://127.0.0.1:9000/v1")];
        assert_eq!(peer.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn mistakes_say_what_to_change() {
        for (text, expected) in [
            ("address = \":1\"", "missing field `name`"),
            ("name = \"a\"", "missing field `address`"),
            ("name = \"A b\"\naddress = \":1\"", "may have a-z"),
            ("name = \"a\"\naddress = \"example.com:80\"", "must be IP:PORT"),
            ("name = \"a\"\naddress = \":1\"\nadress = 1", "unknown field `adress`"),
            ("name = \"a\"\naddress = \":1\"\npath = \"${NONE}\"", "NONE is not set"),
            ("name = \"a\"\naddress = \":1\"\npath = \"${KEY\"", "without its `}`"),
            ("name = \"a\"\naddress = \":1\"\n[headers]\nx = 1", "header x"),
        ] {
            let error = parse(text, None).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_version_is_the_first_line_printed() {
        let command =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let printed = version(&command(&["sh", "-c", "echo >&2; echo 'a 1.2' >&2; echo b >&2"]));
        assert_eq!(printed.as_deref(), Some("a 1.2"));
        assert_eq!(version(&command(&["/nowhere"])), None);
    }

    #[test]
    fn every_ready_made_target_is_good() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let peer =
                parse(&text, None).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(path.file_stem().unwrap().to_str(), Some(peer.name.as_str()));
        }
    }
}
