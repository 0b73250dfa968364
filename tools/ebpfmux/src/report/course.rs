//! How an amount or a level went on over time, as a picture.

use record::fields::{Field, Unit};

use super::axis::{Axis, WIDTH};
use super::html;
use crate::over_time::{Series, Stretch, Timeline, Tool};
use crate::record::timestamp::Nanos;

/// How high a picture is, in its own units.
const HEIGHT: f64 = 100.0;

/// A value, and from when to when it holds.
struct Step {
    from: Nanos,
    to: Nanos,
    value: f64,
}

/// The values of a field of a tool, over all keys, host by host.
fn steps(tool: &Tool, name: &str) -> Vec<Vec<Step>> {
    let of_host = |(host, line): (usize, &Timeline)| {
        let mut values = vec![[0.0, 0.0]; line.stretches.len()];
        for group in tool.groups.values() {
            let series =
                group.parts.get(host).and_then(|part| part.fields.get(name)).map(|entry| &entry.series);
            match series {
                Some(Series::Sum(sums)) => {
                    values.iter_mut().zip(sums).for_each(|(value, more)| value[0] += more);
                }
                Some(Series::Level(levels)) => {
                    let more = levels
                        .iter()
                        .map(|level| if level.times > 0.0 { level.sum / level.times } else { 0.0 });
                    values.iter_mut().zip(more).for_each(|(value, more)| value[1] += more);
                }
                _ => {}
            }
        }
        stepped(line, |at, seconds| values[at][0] / seconds + values[at][1])
    };
    tool.hosts.values().enumerate().map(of_host).collect()
}

fn stepped(line: &Timeline, value: impl Fn(usize, f64) -> f64) -> Vec<Step> {
    let step = |(at, stretch): (usize, &Stretch)| {
        let each = stretch.seconds / stretch.intervals.max(1) as f64;
        let from = stretch.first.saturating_sub((each * 1e9) as Nanos);
        Step { from, to: stretch.last, value: value(at, stretch.seconds.max(1e-9)) }
    };
    line.stretches.iter().enumerate().map(step).collect()
}

/// The picture of a field, with its least and greatest value; none if it was always 0.
pub fn field(tool: &Tool, name: &str, field: &Field, rate: bool, axis: &Axis) -> Option<String> {
    let per = if rate { " per second" } else { "" };
    let caption = format!("{}{per}", html::text(name));
    picture(tool, &steps(tool, name), &caption, field.unit, "", axis)
}

/// The picture of what was lost; none if nothing was.
pub fn lost(tool: &Tool, axis: &Axis) -> Option<String> {
    let of_host = |(line, series): (&Timeline, &Series)| {
        stepped(line, |at, seconds| match series {
            Series::Sum(sums) => sums.get(at).copied().unwrap_or(0.0) / seconds,
            _ => 0.0,
        })
    };
    let steps: Vec<_> = tool.hosts.values().zip(&tool.lost).map(of_host).collect();
    picture(tool, &steps, "lost per second", Unit::None, "class=lost ", axis)
}

fn picture(
    tool: &Tool,
    hosts: &[Vec<Step>],
    caption: &str,
    unit: Unit,
    class: &str,
    axis: &Axis,
) -> Option<String> {
    let all = || hosts.iter().flatten().map(|step| step.value);
    let most = all().fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let (sum, n) = (all().sum::<f64>(), all().count().max(1));
    let number = |value: f64| super::number(value, unit);
    let told = format!("mean {}, most {}", number(sum / n as f64), number(most));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=none role=img aria-label=\"{caption}: {told}\">"
    );
    for steps in hosts {
        let mut path = String::new();
        for step in steps.iter().filter(|step| step.value > 0.0) {
            let (x, end) = (axis.x(step.from), axis.x(step.to));
            let high = (step.value / most * HEIGHT).max(1.5);
            path += &format!("M{x:.1} {HEIGHT}v-{high:.1}h{:.1}V{HEIGHT}z", (end - x).max(0.4));
        }
        // Several hosts lie on each other.
        let opacity = if hosts.len() > 1 { " fill-opacity=.5" } else { "" };
        svg += &format!("<path {class}d=\"{path}\"{opacity} />");
    }
    // Over a step of several intervals of which some are missing.
    tool.hosts.values().for_each(|line| svg += &axis.gaps(&line.gaps, HEIGHT));
    svg += "</svg>";
    let figure =
        format!("<figure><figcaption>{caption}<span>{told}</span></figcaption><div class=course>{svg}</div>");
    Some(figure + &axis.times() + "</figure>\n")
}
