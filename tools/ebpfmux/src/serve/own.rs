//! What `/metrics` says of `ebpfmux` itself.

use crate::metrics::LeftOut;
use crate::metrics::own::{Labels, Own, counter, of_tools};
use crate::metrics::series::Total;
use crate::otlp::Counts;
use crate::supervisor::attached::Attached;
use crate::supervisor::control::ToolState;

/// What was sent, if it is.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    /// Data points.
    pub points: Option<Counts>,
    /// Spans.
    pub spans: Option<Counts>,
}

/// All of them; those of tools only if there are some.
pub fn own(left_out: &LeftOut, sent: Sent, tools: &[ToolState]) -> Vec<Own> {
    let mut own = vec![
        counter(
            "ebpfmux_series_dropped",
            "Values left out, because there were too many series: see --serve-series.",
            left_out.series,
        ),
        counter(
            "ebpfmux_labels_dropped",
            "Values left out, because their labels were too long: see --serve-label-bytes.",
            left_out.long,
        ),
        counter(
            "ebpfmux_names_dropped",
            "Labels and values left out, because their names are reserved or used by others.",
            left_out.names,
        ),
        counter(
            "ebpfmux_window_dropped",
            "Records and values left out of a window, because it had too many keys: see --window-keys.",
            left_out.window,
        ),
        counter(
            "ebpfmux_join_dropped",
            "Values left out of a joined record, because it had too many: see --join-fields.",
            left_out.join,
        ),
    ];
    if let Some(counts) = sent.points {
        own.push(counter(
            "ebpfmux_otlp_points_sent",
            "Data points that the receiver of --otlp accepted.",
            counts.sent,
        ));
        let help = "Data points that could not be sent in time, or were refused.";
        own.push(counter("ebpfmux_otlp_points_dropped", help, counts.dropped));
    }
    if let Some(counts) = sent.spans {
        let help = "Spans that the receiver of --otlp or --otlp-traces accepted.";
        own.push(counter("ebpfmux_otlp_spans_sent", help, counts.sent));
        let help = "Spans that could not be sent in time, or were refused.";
        own.push(counter("ebpfmux_otlp_spans_dropped", help, counts.dropped));
    }
    if !tools.is_empty() {
        let each = |value: fn(&ToolState) -> Option<Total>| {
            tools.iter().filter_map(move |tool| Some((labels(tool, []), value(tool)?))).collect::<Vec<_>>()
        };
        let up = each(|tool| Some(Total::Whole(tool.running.into())));
        own.push(of_tools(0, "Whether the command of --run runs.", up));
        let left = each(|tool| tool.seconds_left.map(Total::Real));
        if !left.is_empty() {
            own.push(of_tools(1, "How long the command still runs, of those that have a limit.", left));
        }
        let restarts = each(|tool| Some(Total::Whole(tool.restarts.into())));
        own.push(of_tools(2, "How often the command was started again after it had failed.", restarts));
        let rungs: Vec<_> = tools.iter().flat_map(rungs).collect();
        if !rungs.is_empty() {
            own.push(of_tools(
                3,
                "How a hook of the command is attached: by the kind that has the value 1.",
                rungs,
            ));
        }
    }
    own
}

/// A command's name, and more labels.
fn labels<const N: usize>(tool: &ToolState, more: [(&str, &str); N]) -> Labels {
    let all = [("tool", tool.name.as_str())].into_iter().chain(more);
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A value for each hook that a tool has attached.
fn rungs(tool: &ToolState) -> impl Iterator<Item = (Labels, Total)> {
    let rung = |hook: &Attached| {
        (labels(tool, [("hook", hook.hook.as_str()), ("kind", hook.kind.as_str())]), Total::Whole(1))
    };
    tool.hooks.iter().map(rung)
}
