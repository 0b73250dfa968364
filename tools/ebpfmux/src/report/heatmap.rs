//! How latencies were distributed over time: time from left to right, latency from below to above, how many as heat.

use record::histogram::{bounds_ns, bucket_of};

use super::axis::{Axis, WIDTH};
use super::html;
use crate::over_time::{Group, Series, Tool};

/// How many columns a picture has at most.
const COLUMNS: usize = 180;
/// How many of the tools' buckets are one line: four lines for each power of two.
const LINES: usize = 4;
/// How many shades there are, from few to many.
const SHADES: usize = 8;

/// The counts of a picture: by column, then by line.
struct Heat {
    counts: Vec<Vec<f64>>,
    /// The lowest line, of all there could be.
    lowest: usize,
}

impl Heat {
    /// Of the histogram of this name, of one key.
    fn of(tool: &Tool, group: &Group, name: &str, axis: &Axis) -> Option<Self> {
        let mut found: Vec<(usize, usize, f64)> = Vec::new();
        for ((line, part), series) in tool.hosts.values().zip(&group.parts).zip(group.series(name)) {
            let (Some(Series::Buckets(all)), false) = (series, part.fields.is_empty()) else { continue };
            for (stretch, buckets) in line.stretches.iter().zip(all) {
                // A stretch is one column, or less.
                let column = (axis.x(stretch.last) / WIDTH * COLUMNS as f64).ceil().max(1.0) as usize - 1;
                for (upper, count) in buckets.iter() {
                    found.push((column, bucket_of(upper.saturating_sub(1)) / LINES, count as f64));
                }
            }
        }
        let lowest = found.iter().map(|(_, line, _)| *line).min()?;
        let lines = found.iter().map(|(_, line, _)| *line).max()? + 1 - lowest;
        let mut counts = vec![vec![0.0; lines]; COLUMNS];
        found.into_iter().for_each(|(column, line, count)| counts[column][line - lowest] += count);
        Some(Self { counts, lowest })
    }

    fn lines(&self) -> usize {
        self.counts.first().map_or(0, Vec::len)
    }
}

/// The picture of a histogram; none if it is empty.
pub fn picture(tool: &Tool, group: &Group, name: &str, caption: &str, axis: &Axis) -> Option<String> {
    let heat = Heat::of(tool, group, name, axis)?;
    let lines = heat.lines();
    let most = heat.counts.iter().flatten().copied().fold(1.0, f64::max);
    // Few are to be seen beside many: by the logarithm.
    let shade = |count: f64| ((count + 1.0).ln() / (most + 1.0).ln() * SHADES as f64).ceil() as usize;
    let mut paths = vec![String::new(); SHADES];
    for (column, counts) in heat.counts.iter().enumerate() {
        for (line, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let shade = shade(*count).clamp(1, SHADES);
            paths[shade - 1] += &format!("M{column} {}h1v1h-1z", lines - 1 - line);
        }
    }
    let caption = html::text(caption);
    let mut html = format!(
        "<figure><figcaption>{caption}<span>strongest: {} in a field</span></figcaption><div class=heat>",
        super::number(most, record::fields::Unit::None)
    );
    html += &scale(&heat);
    html += &format!(
        "<svg viewBox=\"0 0 {COLUMNS} {lines}\" preserveAspectRatio=none shape-rendering=crispEdges role=img \
         aria-label=\"{caption}: a heat map\">"
    );
    for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let opacity = (shade + 1) as f64 / SHADES as f64;
        html += &format!("<path d=\"{path}\" fill-opacity={opacity:.2} />");
    }
    Some(html + "</svg></div>" + &axis.times() + "</figure>\n")
}

/// Latencies on the left, at most six.
fn scale(heat: &Heat) -> String {
    let lines = heat.lines();
    let step = lines.div_ceil(6).max(1);
    let label = |line: usize| {
        let (low, _) = bounds_ns((heat.lowest + line) * LINES);
        let top = 100.0 * (1.0 - line as f64 / lines as f64);
        format!("<i style=\"top:{top:.1}%\">{}</i>", super::time(low as f64 / 1e3))
    };
    (0..lines).step_by(step).map(label).collect()
}
