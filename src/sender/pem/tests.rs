use super::*;

fn block(body: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn read(pem: &str) -> Vec<Option<Vec<u8>>> {
    certificates(pem.as_bytes()).map(|read| read.map(|certificate| certificate.to_vec())).collect()
}

#[test]
fn one_that_cannot_be_read_takes_no_other_along() {
    let truncated = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let pem =
        [&block("AQID"), &block("A\u{200b}QID"), truncated, &block("BAUG"), "-----BEGIN CERTIFICATE-----"].concat();
    assert_eq!(read(&pem), [Some(vec![1, 2, 3]), None, None, Some(vec![4, 5, 6]), None]);
}

#[test]
fn what_stands_around_certificates_is_no_part_of_them() {
    let one = block("AQID");
    for pem in [
        format!("\u{feff}{one}"),
        one.replace('\n', "\r\n"),
        format!("\"{}\"", one.trim_end()),
        format!("# our authority\n\n  {one}\n\u{a0}\n"),
        format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{one}"),
    ] {
        assert_eq!(read(&pem), [Some(vec![1, 2, 3])], "{pem:?}");
    }
    assert_eq!(read("no certificate"), []);
}

#[test]
fn says_why_there_is_none() {
    let encoded = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFRSUQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    assert_eq!(flaw(encoded.as_bytes()), Some(Flaw::EncodedTwice));
    assert_eq!(flaw(block("AQID").replace('\n', "\\n").as_bytes()), Some(Flaw::LineBreaksWrittenOut));
    let wide: Vec<u8> = block("AQID").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(flaw(&wide), Some(Flaw::Utf16));
    assert_eq!(why_none(b"canary", CERTIFICATE), "holds no PEM that can be read (-----BEGIN CERTIFICATE-----)");
}

#[test]
fn names_at_most_three_places() {
    assert_eq!(places(&[3], 5), "certificate 3 of 5");
    assert_eq!(places(&[1, 3], 5), "certificates 1, 3 of 5");
    assert_eq!(places(&[1, 2, 3, 4, 5], 9), "certificates 1, 2, 3 and 2 more of 9");
}
