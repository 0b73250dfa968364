//! However it ends, the terminal is as it was.

use super::terminal::{PROMPT, Terminal};
use super::{MUX, Stream, biolat};
use crate::support::{Files, eventually, script};

/// What a shell does then: says the status, and what the terminal does with lines.
const THEN: &str =
    "; echo status $?; stty -a | tr ' ;' '\\n\\n' | grep -x -e isig -e icanon -e echo | tr '\\n' ' '";

/// A screen with a row, and the pid of what draws it.
fn shown(stream: &mut Stream, then: &str) -> (Terminal, String) {
    let terminal = Terminal::running(80, 24, &format!("{MUX} --live {}{then}", stream.path));
    stream.write(&biolat(1, "vda", 7));
    terminal.until("vda");
    let shell = terminal.asked("#{pane_pid}");
    let children = format!("/proc/{shell}/task/{shell}/children");
    let pid = eventually("it has a pid", || {
        std::fs::read_to_string(&children).ok()?.split_whitespace().next().map(str::to_owned)
    });
    (terminal, pid)
}

/// Asserts that the shell has its terminal back.
fn is_given_back(terminal: &Terminal) {
    terminal.until("status 0");
    terminal.until("isig icanon echo");
    assert_eq!(terminal.asked("#{alternate_on} #{cursor_flag}"), "0 1");
}

fn signal(name: &str, pid: &str) {
    assert!(std::process::Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[test]
fn keys_end_it() {
    for key in ["q", "C-c"] {
        let mut stream = Stream::new();
        let (terminal, _) = shown(&mut stream, THEN);
        terminal.press(key);
        is_given_back(&terminal);
    }
}

#[test]
fn signals_end_it_and_its_commands() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let mut stream = Stream::new();
        let (terminal, pid) = shown(&mut stream, THEN);
        let children =
            || std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let merge = children().trim().to_owned();
        assert!(!merge.is_empty());
        signal(name, &pid);
        is_given_back(&terminal);
        assert!(!crate::support::alive(&merge), "{name}");
    }
}

#[test]
fn it_stands_still_and_goes_on() {
    let mut stream = Stream::new();
    let (terminal, pid) = shown(&mut stream, "");
    let stopped = || {
        terminal.until("Stopped");
        assert_eq!(terminal.asked("#{alternate_on} #{cursor_flag}"), "0 1");
    };
    let goes_on = |terminal: &Terminal| {
        terminal.command("fg");
        terminal.until("LIVE");
        assert_eq!(terminal.asked("#{alternate_on} #{cursor_flag}"), "1 0");
    };
    terminal.press("C-z");
    stopped();
    goes_on(&terminal);
    stream.write(&biolat(2, "vdb", 7));
    terminal.until("vdb");
    signal("-TSTP", &pid);
    stopped();
    goes_on(&terminal);
    // SIGSTOP tells nothing: what is drawn is drawn again.
    signal("-STOP", &pid);
    terminal.until("Stopped");
    terminal.command("clear; fg");
    terminal.until("LIVE");
    stream.write(&biolat(3, "vdc", 7));
    terminal.until("vdc");
    terminal.press("q");
    terminal.until_without("LIVE");
    terminal.until(PROMPT);
    assert_eq!(terminal.asked("#{alternate_on} #{cursor_flag}"), "0 1");
}

#[test]
fn a_killed_one_leaves_no_merge_behind() {
    let mut stream = Stream::new();
    let (_terminal, pid) = shown(&mut stream, "");
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    signal("-KILL", &pid);
    let merge = children.trim();
    eventually("the merge ends", || (!crate::support::alive(merge)).then_some(()));
}

#[test]
fn a_command_that_cannot_run_ends_it_with_its_own_words_and_status() {
    let files = Files::new();
    let refused = |status: u32| {
        let body = format!("echo \"biolat: no right {status}: run it as root\" >&2; exit {status}");
        script(&files, &format!("refused{status}"), &body).display().to_string()
    };
    let silent = script(&files, "silent", "exit 3").display().to_string();
    let fails = script(&files, "fails", "exit 4").display().to_string();
    let terminal = Terminal::new(100, 24);
    let cases = [
        (vec![refused(2)], 2, "biolat: no right 2: run it as root"),
        (vec![refused(3)], 3, "biolat: no right 3: run it as root"),
        (vec![refused(4)], 4, "biolat: no right 4: run it as root"),
        (vec![silent.clone()], 3, "ebpfmux: the command ended with status 3"),
        // Of several it is said which.
        (vec![refused(4), fails], 4, "/fails' ended with status 4"),
        (vec![refused(4), silent], 1, "/silent' ended with status 3"),
    ];
    for (number, (commands, status, says)) in cases.into_iter().enumerate() {
        let runs: String = commands.iter().map(|command| format!(" --run {command}")).collect();
        terminal.command(&format!("clear; {MUX} --live{runs}; echo end{number} $?"));
        let screen = terminal.until(&format!("end{number} {status}"));
        assert!(screen.replace('\n', "").contains(says), "{says}: {screen}");
        let lines = screen.lines().filter(|line| line.contains("status") || line.contains("right"));
        assert!(commands.len() > 1 || lines.count() == 1, "{screen}");
        assert_eq!(terminal.asked("#{alternate_on} #{cursor_flag}"), "0 1");
    }
}
