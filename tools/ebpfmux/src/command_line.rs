//! How the command line is read, or the file of `--config` instead of it.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser};
use cli::exit::{Failure, Result};
use cli::usage::{self, one_line};
use cli::{complete as shells, generate, help, inherited};

use crate::args::{Args, Format};
use crate::config::Config;
use crate::subcommand;

impl Args {
    /// Reads the process's command line. `None` if --help, --version or the like has been printed.
    pub fn read() -> Result<Option<Self>> {
        let words: Vec<OsString> = std::env::args_os().collect();
        let command = || help::shaped(Self::command(), &words, &[]);
        if shells::answer(|| command().subcommands(subcommand::commands()))? {
            return Ok(None);
        }
        inherited::check_stdout()?;
        let parsed =
            command().try_get_matches_from(&words).and_then(|matches| Self::from_arg_matches(&matches));
        let error = match parsed {
            Ok(Self { generate: Some(form), .. }) => {
                return generate::print(Self::command(), form).map(|()| None);
            }
            Ok(Self { config: Some(file), validate, quiet, verbose, .. }) => {
                let args = Self::of_file(&file, quiet, verbose)?.checked()?;
                return Ok(Some(Self { only_validate: validate, ..args }));
            }
            Ok(args) => return args.checked().map(Some),
            Err(error) => error,
        };
        if !error.use_stderr() {
            return error.print().map(|()| None).map_err(Failure::stdout);
        }
        Err(usage::failure(&command(), &error))
    }

    /// What the file of --config says.
    fn of_file(file: &Path, quiet: bool, verbose: bool) -> Result<Self> {
        let mut command = Self::command();
        let matches = command.get_matches_mut();
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let argument = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id);
        let allowed = ["config", "validate", "quiet", "verbose"];
        let others = matches.ids().map(clap::Id::as_str).filter(given).filter(|id| !allowed.contains(id));
        if let Some(other) = others.filter_map(argument).next() {
            let file = file.display();
            return Err(Failure::usage(format!("{other} does not go with --config: write it into {file}")));
        }
        let config = Config::read(file)?;
        let mut args = Self::of_config(&config)?;
        (args.quiet, args.verbose) = (args.quiet || quiet, args.verbose || verbose);
        args.configured = Some(config);
        Ok(args)
    }

    fn of_config(config: &Config) -> Result<Self> {
        let parsed = |without| Self::try_parse_from(["ebpfmux"].into_iter().chain(config.words(without)));
        let error = match parsed(None) {
            Ok(args) => return Ok(args),
            Err(error) => error,
        };
        let text = one_line(&error);
        // Of something missing, the key is to blame without which nothing would be.
        if error.kind() == ErrorKind::MissingRequiredArgument {
            let blamed = |key: &usize| {
                parsed(Some(*key)).map_or_else(|error| one_line(&error), |_| String::new()) != text
            };
            return Err(config.failure((0..config.keys()).find(blamed), &text));
        }
        let option = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(option)) => option.split([' ', '[', '=']).next(),
            _ => None,
        };
        Err(config.failure(option.and_then(|option| config.key_of(option)), &text))
    }

    /// The output format: that of `--output`, else a table for a person and JSON for a program.
    pub fn format(&self) -> Format {
        let default = if std::io::stdout().is_terminal() { Format::Table } else { Format::Json };
        self.output.unwrap_or(default)
    }

    fn checked(self) -> Result<Self> {
        if self.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
            return Err(Failure::usage("stdin (-) is named twice; it can be read once"));
        }
        Ok(self)
    }
}
