//! `firedrill init`: writes a commented description of an application, to begin with.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::args::InitArgs;
use super::exit::{Failure, Status};
use super::out;

/// A description to begin with.
struct Template {
    /// The framework, as it is given on the command line.
    name: &'static str,
    text: &'static str,
}

/// A description: how the application of that framework is started and asked, and a load and a fault that are the same for all.
macro_rules! template {
    ($name:literal) => {
        Template {
            name: $name,
            text: concat!(include_str!(concat!("init/", $name, ".toml")), include_str!("init/load.toml")),
        }
    };
}

/// One line for each framework.
const TEMPLATES: &[Template] = &[
    template!("app"),
    template!("aiohttp"),
    template!("django"),
    template!("express"),
    template!("flask"),
    template!("go"),
    template!("php"),
    template!("rack"),
    template!("rails"),
    template!("rust"),
    template!("spring"),
];

/// Writes the description; a file that is there stays as it is.
pub fn run(args: &InitArgs) -> Result<Status, Failure> {
    let InitArgs { framework, file } = args;
    let Some(template) = TEMPLATES.iter().find(|template| template.name == framework) else {
        let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        return Err(Failure::Usage(format!("nothing is written for `{framework}`; there is {}", names.join(", "))));
    };
    let failed = |error| Failure::File(format!("cannot write {}: {error}", file.display()));
    write(file, template.text).map_err(failed)?;
    let file = file.display();
    out::line(format_args!(
        "wrote {file}: change it until `firedrill try {file}` is content, then: firedrill run {file}"
    ));
    Ok(Status::Passed)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};

    #[test]
    fn every_description_to_begin_with_is_a_valid_scenario() {
        for Template { name, text } in TEMPLATES {
            let source = Source { name: format!("{name}.toml"), text: (*text).to_owned() };
            let scenario = parse(&source, &[]).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(scenario.app.is_some() && scenario.op.destroy.is_some(), "{name}");
            assert!(
                text.starts_with("# Tried with ") || text.starts_with("# Not tried with "),
                "{name}: its first line"
            );
        }
    }
}
