use super::*;

#[test]
fn html_becomes_the_lines_that_a_reader_sees() {
    let cases = [
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>one\n  two</p><p>three</p>", "one two\n\nthree"),
        (
            "<b>bold</b>ly &amp; &uuml;ber&nbsp;all &#8364;",
            "boldly & über\u{a0}all €",
        ),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        (
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
            "a b\nc",
        ),
        (
            "<title>t</title><style>p{}</style><script>if(a<b){}</script>x",
            "x",
        ),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a<!-- hidden -->b", "ab"),
        ("<blockquote><p>q</p>r</blockquote>s", "> q\n\n> r\n\ns"),
        ("un<closed", "un"),
    ];
    for (html, text) in cases {
        assert_eq!(read(html).as_deref(), Ok(text), "{html}");
    }
}

#[test]
fn deep_html_is_read_as_any_other() {
    let deep = format!("{}x", "<div><blockquote><table>".repeat(100_000));
    assert_eq!(read(&deep).as_deref(), Ok("> x"));
}
