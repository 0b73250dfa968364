//! Colours that mean something.

use anstyle::{AnsiColor, Style};

/// What a cell says beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// Nothing happened: 0, no value.
    Nothing,
    /// It stands out: far more than is usual in this column.
    Outlier,
    /// Something went wrong: errors, losses.
    Alarm,
}

impl Tone {
    /// How it looks.
    pub fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Heading => Style::new().bold(),
            Self::Nothing => Style::new().dimmed(),
            Self::Outlier => AnsiColor::Yellow.on_default().bold(),
            Self::Alarm => AnsiColor::Red.on_default().bold(),
        }
    }

    /// The text in this tone, if the screen shows colours.
    pub fn paint(self, text: &str, colours: bool) -> String {
        let style = self.style();
        match colours && !style.is_plain() && !text.trim().is_empty() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}
