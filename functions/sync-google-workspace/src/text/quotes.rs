//! What of a mail its writer wrote.

use super::tidy;

/// How the line before a quoted mail begins, and the verb it has, in lower case.
const ATTRIBUTIONS: [(&str, &str); 13] = [
    ("on ", "wrote"),
    ("am ", "schrieb"),
    ("le ", "a écrit"),
    ("el ", "escribió"),
    ("il ", "ha scritto"),
    ("op ", "schreef"),
    ("op ", "heeft geschreven"),
    ("op ", "het volgende geschreven"),
    ("em ", "escreveu"),
    ("den ", "skrev"),
    ("w dniu ", "napisał"),
    ("dne ", "napsal"),
    ("", "написал"),
];

/// The verbs that may also follow a name and an address: `Ada <ada@example.com> wrote:`.
const VERBS: [&str; 7] = [
    "wrote",
    "schrieb",
    "a écrit",
    "escribió",
    "ha scritto",
    "schreef",
    "escreveu",
];

/// What stands between dashes above a mail that is answered, in lower case.
const ORIGINALS: [&str; 8] = [
    "original message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "mensagem original",
];

/// What stands above a mail that is forwarded, in lower case.
const FORWARDS: [&str; 17] = [
    "forwarded message",
    "begin forwarded message",
    "weitergeleitete nachricht",
    "anfang der weitergeleiteten nachricht",
    "message transféré",
    "début du message transféré",
    "début du message réexpédié",
    "mensaje reenviado",
    "inicio del mensaje reenviado",
    "messaggio inoltrato",
    "inizio messaggio inoltrato",
    "doorgestuurd bericht",
    "begin doorgestuurd bericht",
    "mensagem encaminhada",
    "início da mensagem encaminhada",
    "forwarded by",
    "vidarebefordrat meddelande",
];

/// How the subject of a forwarded mail begins, in lower case.
const FORWARD_SUBJECTS: [&str; 10] = [
    "fw:", "fwd:", "wg:", "tr:", "rv:", "i:", "doorst:", "enc:", "vs:", "pd:",
];

/// The labels of the head that Outlook puts above a mail, in lower case.
const FROM: [&str; 5] = ["from", "von", "de", "da", "van"];
const HEAD: [&str; 27] = [
    "sent",
    "date",
    "to",
    "cc",
    "subject",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "à",
    "objet",
    "enviado",
    "fecha",
    "para",
    "asunto",
    "inviato",
    "data",
    "a",
    "oggetto",
    "verzonden",
    "aan",
    "onderwerp",
    "enviada em",
    "assunto",
    "gesendet am",
    "enviado el",
];

/// How the line begins that a telephone or a program adds, and what it names, in lower case.
const SENT: [&str; 10] = [
    "sent from ",
    "get outlook",
    "von meinem ",
    "gesendet ",
    "envoyé ",
    "enviado ",
    "inviato ",
    "verstuurd ",
    "verzonden ",
    "diese nachricht wurde ",
];
const DEVICES: [&str; 9] = [
    "iphone",
    "ipad",
    "android",
    "outlook",
    "samsung",
    "mobile",
    "smartphone",
    "handy",
    "yahoo",
];
/// Longest line that can name a device, in bytes.
const DEVICE_BYTES: usize = 100;

/// Lines a signature may have: more than these are text below a rule.
const SIGNATURE_LINES: usize = 15;
/// Lines that an attribution may be broken into.
const ATTRIBUTION_LINES: usize = 3;
/// Longest line that can be an attribution, in bytes.
const ATTRIBUTION_BYTES: usize = 400;
/// Digits of a date: a year at least.
const DATE_DIGITS: usize = 4;
/// Lines below `From:` that can belong to a head.
const HEAD_LINES: usize = 6;

/// The text without quoted replies and signature.
///
/// A mail that is nothing else keeps its text, and what was forwarded stays.
pub(super) fn trim(text: &str, subject: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let kept = written(&lines, is_forward(subject)).join("\n");
    if kept.trim().is_empty() {
        return text.trim().to_owned();
    }
    tidy(&kept)
}

/// What begins at a line.
enum Mark {
    /// A mail that was forwarded, to the end.
    Forward,
    /// A quoted line.
    Quoted,
    /// So many lines that tell who wrote the quoted lines below.
    Attribution(usize),
    /// The mail that is answered, to the end.
    Original,
}

fn written<'a>(lines: &[&'a str], is_forward: bool) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        match mark(&lines[at..]) {
            Some(Mark::Forward) => {
                kept.extend_from_slice(&lines[at..]);
                break;
            }
            Some(Mark::Original) if is_forward => {
                kept.extend_from_slice(&lines[at..]);
                break;
            }
            Some(Mark::Original) => {
                while kept.last().is_some_and(|line| is_rule(line)) {
                    kept.pop();
                }
                break;
            }
            Some(Mark::Attribution(count)) => at += count,
            Some(Mark::Quoted) => at += 1,
            None => {
                let signature = signature_lines(&lines[at..]);
                if signature == 0 {
                    kept.push(line);
                }
                at += signature.max(1);
            }
        }
    }
    kept
}

fn mark(lines: &[&str]) -> Option<Mark> {
    let line = lines.first()?.trim();
    if line.starts_with('>') {
        return Some(Mark::Quoted);
    }
    if line.len() > ATTRIBUTION_BYTES {
        return None;
    }
    let between_dashes = line
        .trim_matches(|character: char| "-_—:* ".contains(character))
        .to_lowercase();
    let is_marked = line.starts_with(['-', '_', '—']) || line.ends_with(':');
    if is_marked && FORWARDS.iter().any(|mark| *mark == between_dashes) {
        return Some(Mark::Forward);
    }
    let is_original = ORIGINALS.iter().any(|mark| *mark == between_dashes);
    if (is_marked && is_original) || is_head(lines) {
        return Some(Mark::Original);
    }
    let count = attribution_lines(lines)?;
    let below = lines[count..].iter().find(|line| !line.trim().is_empty());
    match below {
        Some(below) if !below.trim_start().starts_with('>') => Some(Mark::Original),
        _ => Some(Mark::Attribution(count)),
    }
}

/// How many lines the attribution has that begins here.
fn attribution_lines(lines: &[&str]) -> Option<usize> {
    let mut sentence = String::new();
    for (index, line) in lines.iter().take(ATTRIBUTION_LINES).enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('>') || sentence.len() > ATTRIBUTION_BYTES {
            return None;
        }
        sentence.push_str(line);
        sentence.push(' ');
        if line.ends_with(':') {
            return is_attribution(&sentence.to_lowercase()).then_some(index + 1);
        }
    }
    None
}

fn is_attribution(sentence: &str) -> bool {
    let digits = sentence.bytes().filter(u8::is_ascii_digit).count();
    let has_address = sentence.contains('@');
    let is_known = ATTRIBUTIONS
        .iter()
        .any(|(start, verb)| sentence.starts_with(start) && sentence.contains(verb));
    let is_named = has_address && VERBS.iter().any(|verb| sentence.contains(verb));
    is_named || (is_known && (has_address || digits >= DATE_DIGITS))
}

/// Whether Outlook's head of a mail begins here.
fn is_head(lines: &[&str]) -> bool {
    let is_from = |line: &&str| label(line).is_some_and(|label| FROM.contains(&label.as_str()));
    if !lines.first().is_some_and(is_from) {
        return false;
    }
    let labels = lines[1..].iter().take(HEAD_LINES);
    let labels = labels.take_while(|line| !line.trim().is_empty());
    let labels = labels.filter_map(|line| label(line));
    labels
        .filter(|label| HEAD.contains(&label.as_str()))
        .count()
        >= 2
}

/// What stands before the colon of a line, in lower case.
fn label(line: &str) -> Option<String> {
    let (label, _) = line.split_once(':')?;
    let label = label.trim_matches(|character: char| character == '*' || character.is_whitespace());
    Some(label.to_lowercase())
}

/// How many lines the signature has that begins here.
fn signature_lines(lines: &[&str]) -> usize {
    let Some(line) = lines.first().map(|line| line.trim_end()) else {
        return 0;
    };
    if is_device(line) {
        return 1;
    }
    // https://www.rfc-editor.org/rfc/rfc3676#section-4.3, with a space that often gets lost.
    if line != "--" {
        return 0;
    }
    let window = lines.iter().take(SIGNATURE_LINES + 2).enumerate().skip(1);
    let end = window
        .filter(|(index, _)| mark(&lines[*index..]).is_some())
        .map(|(index, _)| index)
        .next();
    match end {
        Some(end) => end,
        None if lines.len() <= SIGNATURE_LINES + 1 => lines.len(),
        None => 0,
    }
}

fn is_device(line: &str) -> bool {
    if line.len() > DEVICE_BYTES {
        return false;
    }
    let line = line.to_lowercase();
    SENT.iter().any(|start| line.starts_with(start))
        && DEVICES.iter().any(|device| line.contains(device))
}

fn is_rule(line: &str) -> bool {
    line.trim()
        .chars()
        .all(|character| "_-—".contains(character))
}

fn is_forward(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase();
    FORWARD_SUBJECTS
        .iter()
        .any(|start| subject.starts_with(start))
}

#[cfg(test)]
mod tests;
