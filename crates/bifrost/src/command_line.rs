//! Flags, environment and subcommands. Flags win over the environment.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use bifrost::{Driver, Options};
use clap::builder::TypedValueParser;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::logs::{LogLevel, LogStyle};

/// An AI gateway: one endpoint for every model provider.
///
/// Flags take one or two dashes.
#[derive(Debug, Parser)]
#[command(name = "bifrost", version, args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    /// Directory of config.json [env: APP_DIR] [default: ~/.config/bifrost]
    #[arg(long, value_name = "DIR")]
    app_dir: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one [env: APP_PORT] [default: 8080]
    #[arg(long)]
    port: Option<u16>,
    /// Host or address to listen on [env: BIFROST_HOST, APP_HOST] [default: localhost]
    #[arg(long)]
    host: Option<String>,
    /// Which log lines are written [env: LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL", ignore_case = true)]
    log_level: Option<LogLevel>,
    /// How log lines look [env: LOG_STYLE] [default: json]
    #[arg(long, value_name = "STYLE", ignore_case = true)]
    log_style: Option<LogStyle>,
    /// Configuration file, instead of config.json in the directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tuning for what the configuration leaves open: default, latency, throughput, memory,
    /// t3.medium, t3.xlarge or a .toml file [env: BIFROST_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Threads that serve requests [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// How these wait for sockets [default: auto]
    #[arg(long, value_parser = driver_parser())]
    driver: Option<Driver>,
    /// Show the gateway's own time by component in /metrics
    #[arg(long)]
    overhead_breakdown: bool,
    #[command(subcommand)]
    subcommand: Option<Sub>,
}

#[derive(Clone, Debug, Subcommand)]
enum Sub {
    /// Print every mistake in a configuration file
    Check {
        /// The file
        file: PathBuf,
        /// Tuning profile below it, as for serving [env: BIFROST_PROFILE]
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Print method and path of every route; * stands for the methods of the control plane's
    Routes,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve until told to end.
    Serve(Options),
    /// Look for mistakes in a file.
    Check {
        /// The file.
        file: PathBuf,
        /// The profile below it.
        profile: Option<String>,
    },
    /// Print the schema.
    Schema,
    /// Print the routes.
    Routes,
}

impl CommandLine {
    /// Reads the process's own; ends the process with a message when it makes no sense.
    pub(crate) fn read() -> Self {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::parse(std::env::args_os(), &env).unwrap_or_else(|error| error.exit())
    }

    fn parse(
        arguments: impl Iterator<Item = OsString>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, clap::Error> {
        let matches = <Self as CommandFactory>::command()
            .try_get_matches_from(arguments.map(with_two_dashes))?;
        let given = Self::from_arg_matches(&matches)?;
        Ok(Self {
            app_dir: given.app_dir.or_else(|| env("APP_DIR").map(PathBuf::from)),
            port: or_env(given.port, "APP_PORT", env, |value| value.parse().ok())?,
            host: given.host.or_else(|| env("BIFROST_HOST")).or_else(|| env("APP_HOST")),
            profile: given.profile.or_else(|| env("BIFROST_PROFILE")),
            log_level: or_env(given.log_level, "LOG_LEVEL", env, choice)?,
            log_style: or_env(given.log_style, "LOG_STYLE", env, choice)?,
            ..given
        })
    }

    /// What to do.
    pub(crate) fn command(&self) -> Command {
        match &self.subcommand {
            None => Command::Serve(self.options()),
            Some(Sub::Check { file, profile }) => Command::Check {
                file: file.clone(),
                // The field of the command holds what the environment says.
                profile: profile.clone().or_else(|| self.profile.clone()),
            },
            Some(Sub::Schema) => Command::Schema,
            Some(Sub::Routes) => Command::Routes,
        }
    }

    /// Which log lines are written.
    pub(crate) fn log_level(&self) -> LogLevel {
        self.log_level.unwrap_or(LogLevel::Info)
    }

    /// How they look.
    pub(crate) fn log_style(&self) -> LogStyle {
        self.log_style.unwrap_or(LogStyle::Json)
    }

    fn options(&self) -> Options {
        let default = Options::default();
        Options {
            app_dir: self.app_dir.clone().unwrap_or(default.app_dir),
            host: self.host.clone().unwrap_or(default.host),
            port: self.port.unwrap_or(default.port),
            config: self.config.clone(),
            profile: self.profile.clone(),
            workers: self.workers,
            driver: self.driver,
            overhead_breakdown: self.overhead_breakdown,
            signals: true,
        }
    }
}

/// `-port` means `--port`: the flags of the original have one dash, and none has a short form.
fn with_two_dashes(argument: OsString) -> OsString {
    let is_flag = argument.to_str().is_some_and(|text| {
        let mut characters = text.chars();
        characters.next() == Some('-')
            && characters.next().is_some_and(|second| second.is_ascii_alphabetic())
            && characters.next().is_some()
    });
    if !is_flag {
        return argument;
    }
    let mut flag = OsString::from("-");
    flag.push(argument);
    flag
}

fn or_env<T>(
    given: Option<T>,
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
    read: fn(&str) -> Option<T>,
) -> Result<Option<T>, clap::Error> {
    if given.is_some() {
        return Ok(given);
    }
    let Some(value) = env(name) else { return Ok(None) };
    match read(&value) {
        Some(value) => Ok(Some(value)),
        None => {
            let message = format!("invalid value {value:?} in environment variable {name}\n");
            Err(<CommandLine as CommandFactory>::command()
                .error(clap::error::ErrorKind::InvalidValue, message))
        }
    }
}

fn choice<T: ValueEnum>(value: &str) -> Option<T> {
    T::from_str(value, true).ok()
}

fn driver_parser() -> impl TypedValueParser<Value = Driver> {
    clap::builder::PossibleValuesParser::new(["auto", "io_uring", "epoll"]).map(|name| {
        match name.as_str() {
            "io_uring" => Driver::IoUring,
            "epoll" => Driver::Epoll,
            _ => Driver::Auto,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], env: &[(&str, &str)]) -> Result<CommandLine, clap::Error> {
        let arguments = ["bifrost"].iter().chain(arguments).map(OsString::from);
        let env = |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        CommandLine::parse(arguments, &env)
    }

    fn options(arguments: &[&str], env: &[(&str, &str)]) -> Options {
        match parse(arguments, env).expect("a good command line").command() {
            Command::Serve(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_dash_or_two_or_an_equals_sign_are_the_same() {
        for arguments in [
            &["-port", "9", "-app-dir", "/x", "-host", "::"][..],
            &["--port", "9", "--app-dir", "/x", "--host", "::"],
            &["-port=9", "--app-dir=/x", "-host=::"],
        ] {
            let options = options(arguments, &[]);
            assert_eq!((options.port, options.host.as_str()), (9, "::"));
            assert_eq!(options.app_dir, PathBuf::from("/x"));
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_defaults() {
        let env = [("APP_PORT", "7"), ("APP_HOST", "b"), ("APP_DIR", "/e"), ("LOG_LEVEL", "DEBUG")];
        let found = options(&["-port", "9"], &env);
        assert_eq!((found.port, found.host.as_str()), (9, "b"));
        assert_eq!(found.app_dir, PathBuf::from("/e"));
        let found = options(&[], &[("BIFROST_HOST", "a"), ("APP_HOST", "b")]);
        assert_eq!((found.port, found.host.as_str()), (8080, "a"));
        let level = parse(&[], &env).expect("a good environment").log_level();
        assert_eq!(level, LogLevel::Debug);
        let line = parse(&["-log-style", "pretty"], &[("LOG_STYLE", "json")]).expect("good");
        assert_eq!(line.log_style(), LogStyle::Pretty);
    }

    #[test]
    fn a_profile_comes_from_the_flag_or_the_environment() {
        let env = [("BIFROST_PROFILE", "memory")];
        assert_eq!(options(&[], &[]).profile, None);
        assert_eq!(options(&[], &env).profile.as_deref(), Some("memory"));
        assert_eq!(options(&["-profile", "latency"], &env).profile.as_deref(), Some("latency"));
        for (arguments, expected) in
            [(&["check", "f"][..], "memory"), (&["check", "--profile", "latency", "f"], "latency")]
        {
            match parse(arguments, &env).expect("good").command() {
                Command::Check { profile, .. } => assert_eq!(profile.as_deref(), Some(expected)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            &["-prot", "1"][..],
            &["-port", "x"],
            &["-port", "65536"],
            &["-workers", "0"],
            &["-driver", "kqueue"],
            &["-log-level", "loud"],
            &["check"],
            &["nonsense"],
        ] {
            assert!(parse(arguments, &[]).is_err(), "{arguments:?}");
        }
        let error = parse(&[], &[("APP_PORT", "x")]).expect_err("not a port");
        assert!(error.to_string().contains("APP_PORT"), "{error}");
    }

    #[test]
    fn the_rest_of_the_flags_reach_the_options() {
        let found = options(
            &["--workers", "3", "--driver", "epoll", "--config", "c.json", "--overhead-breakdown"],
            &[],
        );
        assert_eq!(found.workers, NonZeroUsize::new(3));
        assert_eq!(found.driver, Some(Driver::Epoll));
        assert_eq!(found.config, Some(PathBuf::from("c.json")));
        assert!(found.overhead_breakdown && found.signals);
    }

    #[test]
    fn subcommands_are_recognised() {
        let command = |arguments: &[&str]| parse(arguments, &[]).expect("good").command();
        let Command::Check { file, profile: None } = command(&["check", "f"]) else {
            panic!("a check without a profile")
        };
        assert_eq!(file, PathBuf::from("f"));
        assert!(matches!(command(&["schema"]), Command::Schema));
        assert!(matches!(command(&["routes"]), Command::Routes));
    }
}
