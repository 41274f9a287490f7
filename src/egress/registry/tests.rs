use super::*;

/// One block of a published row: the block, name, RFC numbers and "Globally Reachable".
type Row = (IpNet, String, Vec<String>, Option<bool>);

const V4: &str = include_str!("../data/iana-ipv4-special-registry.csv");
const V6: &str = include_str!("../data/iana-ipv6-special-registry.csv");

#[test]
fn the_ipv4_table_is_the_published_registry() {
    assert_eq!(ours(IANA_V4), published(V4));
    assert_eq!(IANA_V4.len(), 26);
}

#[test]
fn the_ipv6_table_is_the_published_registry() {
    assert_eq!(ours(IANA_V6), published(V6));
    assert_eq!(IANA_V6.len(), 25);
}

#[test]
fn every_block_starts_at_its_first_address() {
    for block in blocks() {
        assert_eq!(block.net.addr(), block.net.network(), "{}", block.net);
    }
}

#[test]
fn names_the_most_specific_block() {
    let name = |ip: &str| special(ip.parse().unwrap()).map(|block| block.name);
    assert_eq!(name("192.0.0.9"), Some("Port Control Protocol Anycast"));
    assert_eq!(name("192.0.0.192"), Some("IETF Protocol Assignments"));
    assert_eq!(name("255.255.255.255"), Some("Limited Broadcast"));
    assert_eq!(name("::1"), Some("Loopback Address"));
    assert_eq!(name("168.63.129.16"), Some("Azure platform services"));
    assert_eq!(name("168.63.129.17"), None);
    assert_eq!(name("8.8.8.8"), None);
}

fn ours(table: &[Block]) -> Vec<Row> {
    table
        .iter()
        .map(|block| {
            let rfcs = block.spec.split(", ").map(str::to_owned).collect();
            (block.net, block.name.to_owned(), rfcs, block.globally_reachable)
        })
        .collect()
}

fn published(csv: &str) -> Vec<Row> {
    let rows = records(csv);
    assert_eq!(rows[0][0], "Address Block");
    assert_eq!(rows[0][8], "Globally Reachable");
    let mut blocks = Vec::new();
    for row in &rows[1..] {
        assert_eq!(row.len(), 10, "{row:?}");
        for block in row[0].split(", ") {
            let rfcs = row[2].split(['[', ']']).filter_map(|part| part.strip_prefix("RFC")?.parse::<u32>().ok());
            blocks.push((
                without_footnote(block).parse().unwrap(),
                row[1].replace('"', ""),
                rfcs.map(|number| format!("RFC {number}")).collect(),
                without_footnote(&row[8]).to_lowercase().parse().ok(),
            ));
        }
    }
    blocks
}

fn without_footnote(field: &str) -> &str {
    field.split(" [").next().unwrap()
}

/// RFC 4180: quoted fields may hold commas, line breaks and doubled quotes.
fn records(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    rows
}
