//! Chooses the format of the metrics by the header `Accept`.

/// The formats that scrapers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Plain,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus's protobuf, which alone has native histograms.
    Protobuf,
}

impl Format {
    /// Its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that the header `Accept` prefers. A client that accepts none of them gets the
    /// oldest, which every scraper can read.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::Plain);
        for item in header.split(',') {
            let mut parts = item.split(';').map(|part| part.trim().to_ascii_lowercase());
            let kind = parts.next().unwrap_or_default();
            let parameters: Vec<String> = parts.collect();
            let value = |name: &str| {
                parameters
                    .iter()
                    .find_map(|part| Some(part.strip_prefix(name)?.strip_prefix('=')?.trim_matches('"')))
            };
            let is = |name, wanted| value(name).is_none_or(|value| value == wanted);
            let format = match kind.as_str() {
                "application/openmetrics-text" if is("version", "1.0.0") => Self::OpenMetrics,
                "application/vnd.google.protobuf"
                    if value("proto") == Some("io.prometheus.client.metricfamily")
                        && value("encoding") == Some("delimited") =>
                {
                    Self::Protobuf
                }
                "text/plain" | "text/*" | "*/*" if is("version", "0.0.4") => Self::Plain,
                _ => continue,
            };
            let weight = value("q").map_or(Some(1.0), |q| q.parse().ok()).unwrap_or(0.0);
            if weight > best.0 {
                best = (weight, format);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_what_it_prefers() {
        let protobuf =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let open = "application/openmetrics-text;version=1.0.0";
        for (header, format) in [
            ("", Format::Plain),
            ("*/*", Format::Plain),
            ("application/json", Format::Plain),
            (open, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Plain),
            (protobuf, Format::Protobuf),
            ("application/vnd.google.protobuf", Format::Plain),
            (&format!("{open};q=0.5, text/plain;q=0.6"), Format::Plain),
            (&format!("{open};q=0.7,{protobuf}; q=0.8,*/*;q=0.1"), Format::Protobuf),
            (&format!("{open};q=0,text/plain;version=0.0.4;q=x"), Format::Plain),
        ] {
            assert_eq!(Format::accepted(header), format, "{header}");
        }
    }
}
