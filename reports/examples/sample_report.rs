//! Renders made-up drills, to look at the renderings while working on them:
//! `cargo run -p firedrill-reports --example sample_report -- DIR`.

#[path = "../tests/reports/common/mod.rs"]
mod common;

use std::path::PathBuf;

use firedrill_reports::terminal::{self, Style};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: sample_report DIR [WIDTH]")?);
    let width = std::env::args().nth(2).map_or(Ok(120), |text| text.parse())?;
    let style = Style { colour: std::env::var_os("NO_COLOR").is_none(), width };
    let runs = [
        ("passed", common::passed()),
        ("failed", common::failed()),
        ("interrupted", common::interrupted()),
        ("many", common::many_faults()),
    ];
    for (name, run) in &runs {
        run.save(&dir.join(name))?;
        std::fs::write(dir.join(name).join("report.html"), firedrill_reports::render_html(run))?;
        println!("{}", terminal::drill(run, style));
    }
    print!("{}", terminal::summary(runs.iter().map(|(_, run)| run), style));
    Ok(())
}
