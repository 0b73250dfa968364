//! Colours, if the terminal shows them and its user wants them.

use std::env;

use ratatui::style::{Color, Modifier, Style};

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    /// Whether there are colours.
    pub colours: bool,
    /// Whether there are 256 of them.
    pub many: bool,
}

/// From cold to hot: cells of the 256 colours (blue, violet, red, orange, yellow, white).
const HEAT: [u8; 12] = [17, 18, 54, 90, 126, 162, 197, 203, 209, 215, 221, 230];

impl Paint {
    /// That of a terminal that does, or does not, show colours.
    pub fn new(colours: bool) -> Self {
        let says = |name, what| env::var(name).is_ok_and(|value| value.contains(what));
        let many = says("TERM", "256color") || says("COLORTERM", "truecolor") || says("COLORTERM", "24bit");
        Self { colours, many: colours && many }
    }

    fn coloured(self, color: Color, without: Modifier) -> Style {
        match self.colours {
            true => Style::new().fg(color),
            false => Style::new().add_modifier(without),
        }
    }

    /// Something went wrong.
    pub fn alarm(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// Of a heading.
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Nothing happened.
    pub fn nothing(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A picture of numbers.
    pub fn picture(self) -> Style {
        self.coloured(Color::Cyan, Modifier::empty())
    }

    /// What the clock does.
    pub fn state(self, state: &str) -> Style {
        let color =
            if state.starts_with("LIVE") || state.starts_with("PLAY") { Color::Green } else { Color::Yellow };
        match self.colours {
            true => Style::new().fg(Color::Black).bg(color),
            false => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// A share of heat, 0 to 1; `None` for none at all.
    pub fn heat(self, share: Option<f64>) -> Color {
        let step = |share: f64| ((share * HEAT.len() as f64) as usize).min(HEAT.len() - 1);
        share.map_or(Color::Reset, |share| Color::Indexed(HEAT[step(share)]))
    }
}
