//! Messages as the work's own processes write and read them.

/// The types of questions that are asked here.
pub const A: u16 = 1;
pub const AAAA: u16 = 28;
pub const PTR: u16 = 12;

/// A query for a name of these labels.
pub fn query(id: u16, labels: &[&[u8]], qtype: u16) -> Vec<u8> {
    let mut message = [id, 0x0100, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
    for label in labels {
        message.push(label.len() as u8);
        message.extend_from_slice(label);
    }
    message.push(0);
    message.extend([qtype, 1].map(u16::to_be_bytes).concat());
    message
}

/// The labels of a name with dots between.
pub fn labels(name: &str) -> Vec<&[u8]> {
    name.split('.').map(str::as_bytes).collect()
}

/// The id of a message.
pub fn id(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[0], message[1]])
}

/// The response code of an answer, and whether it was cut.
pub fn result(answer: &[u8]) -> (u8, bool) {
    (answer[3] & 0xf, answer[2] & 2 != 0)
}

/// With its length before it, as TCP has it.
pub fn with_length(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}
