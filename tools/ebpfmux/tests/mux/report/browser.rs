//! The page in a real browser: nothing is wider than the window, nothing is loaded, and no script of a name runs.

use std::process::Command;

use test_support::streams::Streams;

use super::recording;

/// Chromium without a screen; as root it has no sandbox.
fn chromium(streams: &Streams, options: &[&str], page: &str) -> String {
    let profile = format!("--user-data-dir={}", streams.path("profile").display());
    let url = format!("file://{}", streams.path(page).display());
    let output = Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--virtual-time-budget=2000",
            &profile,
        ])
        .args(options)
        .arg(url)
        .output()
        .expect("chromium is installed (scripts/setup test)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_browser_shows_the_page_at_any_width() {
    let streams = Streams::default();
    streams.write("rec", recording());
    let page = streams.good("ebpfmux report rec");
    streams.write("page.html", &page);
    // What the browser made of it: its own tree of elements.
    let tree = chromium(&streams, &["--dump-dom"], "page.html");
    assert!(!tree.contains("<script") && tree.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{tree}");
    for (part, most) in [("<svg", 6), ("<table", 4), ("<h2", 2)] {
        assert_eq!(tree.matches(part).count(), page.matches(part).count(), "{part}");
        assert!(tree.matches(part).count() >= most, "{part}");
    }
    // A page around it asks how wide it is. Its own policy forbids scripts, so that one is put aside for this.
    let open = page.replacen("http-equiv=Content-Security-Policy", "name=policy", 1);
    let asks =
        "<script>document.title='wide '+document.documentElement.scrollWidth+' of '+innerWidth</script>";
    streams.write("asks.html", open.replace("</html>", &format!("{asks}</html>")));
    for width in [400, 800, 1600] {
        let tree = chromium(&streams, &["--dump-dom", &format!("--window-size={width},900")], "asks.html");
        let title =
            tree.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).expect("a title").0;
        let numbers: Vec<u32> = title.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(numbers.len() == 2 && numbers[0] <= numbers[1], "{width}: {title}");
    }
    chromium(&streams, &[&format!("--print-to-pdf={}", streams.path("page.pdf").display())], "page.html");
    let paper = std::fs::read(streams.path("page.pdf")).expect("a PDF");
    assert!(paper.starts_with(b"%PDF-"));
    let pages = String::from_utf8_lossy(&paper).matches("/Type /Page\n").count();
    assert!((1..=4).contains(&pages), "{pages} pages");
}
