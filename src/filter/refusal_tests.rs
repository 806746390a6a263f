//! What is refused: the place, the words, and what was probably meant.

use super::*;

/// Column and length, and the whole of what is said.
#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_meant() {
    for (expression, column, length, said) in [
        ("stauts:500", 1, 6, "unknown field `stauts` (did you mean `status`?)"),
        ("slow:true durtion>1s", 11, 7, "unknown field `durtion` (did you mean `duration`?)"),
        ("http://x", 1, 4, "unknown field `http` (did you mean `http_version`?)"),
        (
            "qqqqqqqq:1",
            1,
            8,
            "unknown field `qqqqqqqq` (fields of other events are `fields.NAME`; to search for text, put it in quotes)",
        ),
        ("Status:500", 1, 6, "unknown field `Status` (did you mean `status`?)"),
        ("timing.wiat>1", 1, 11, "`timing` has no part `wiat` (did you mean `timing.wait`?)"),
        ("path.x:1", 1, 6, "`path` has no parts (write `path`)"),
        ("fields:1", 1, 6, "`fields` has parts (write `fields.NAME`)"),
        ("fields.path:1", 1, 11, "`fields` has no part `path` (write `path`)"),
        ("path>a", 6, 1, "`>` does not go with `path` (its values have no order: use : or =)"),
        ("status>5xx", 8, 3, "`>` does not go with a class of status codes (write >=500, or :5xx)"),
        ("status>*", 8, 1, "`>` does not go with `*` (to ask whether there is any value, use :)"),
        ("status>(1 2)", 7, 1, "`>` does not go with several values (use : or = before them)"),
        (
            "path=~a",
            5,
            2,
            "`=~` is no operator (the operators are : = != > >= < <=, and * in a value stands for any text)",
        ),
        ("status:abc", 8, 3, "`abc` is no value of `status_code` (write 404, 4xx, or >=400)"),
        ("status:042", 8, 3, "`042` is no value of `status_code`"),
        ("status:5*", 8, 2, "`5*` is no value of `status_code` (write 404, 4xx, or >=400)"),
        (
            "é duration>5parsecs",
            12,
            8,
            "`5parsecs` is no value of `duration` (write 500ms, 1.5s, 2m, or a number of seconds)",
        ),
        ("level:warn", 7, 4, "`warn` is no value of `level` (did you mean warning?)"),
        ("outcome:sucess", 9, 6, "`sucess` is no value of `outcome` (did you mean success?)"),
        ("scheme:ftp", 8, 3, "`ftp` is no value of `scheme` (write one of http, https)"),
        (
            "ip:10.0.0.0/33",
            4,
            11,
            "`10.0.0.0/33` is no value of `ip_address` (write 10.0.0.7, 10.0.0.0/8, 2001:db8::/32 or 10.0.*)",
        ),
        (
            "in_flight:false",
            11,
            5,
            "`false` is no value of `in_flight` (it is true or absent: write true, or - before it)",
        ),
        (
            "user:\"\"",
            6,
            2,
            "an empty text is no value of `user_id` (no value is an empty text; for an absent one write - before FIELD:*)",
        ),
        (
            "status:",
            8,
            1,
            "`status_code` has no value to compare with (write * for any value, and a word such as OR in quotes)",
        ),
        (
            "status: OR a",
            9,
            2,
            "`status_code` has no value to compare with (write * for any value, and a word such as OR in quotes)",
        ),
        ("a >5", 1, 1, "unknown field `a`"),
        (">5", 1, 1, "there is no field before `>` (to search for it as text, put it in quotes)"),
        ("(a", 1, 1, "the parenthesis is not closed"),
        ("a)", 2, 1, "nothing is open that this could close"),
        ("()", 2, 1, "a term is missing here"),
        ("a OR", 5, 1, "a term is missing here"),
        ("a OR OR b", 6, 2, "a term is missing here"),
        ("- a", 2, 1, "a term is missing here"),
        ("status:(500 502", 8, 1, "the parenthesis is not closed"),
        (
            "status:()",
            9,
            1,
            "`status_code` has no value to compare with (write * for any value, and a word such as OR in quotes)",
        ),
        ("a \"b", 3, 1, "the quote is not closed (a quote within a phrase is written \\\")"),
        (
            "a\"b\"",
            2,
            1,
            "there is no space here (put a space between terms; quotes and parentheses in a value go into quotes)",
        ),
        (
            "path:/a(b)",
            8,
            1,
            "there is no space here (put a space between terms; quotes and parentheses in a value go into quotes)",
        ),
        ("a\\", 2, 1, "the backslash stands before nothing (a backslash itself is written \\\\)"),
        (
            "a or b",
            3,
            2,
            "`or` is neither an operator nor clearly a word (write OR for the operator, or put the word in quotes)",
        ),
        ("status:(500 or 502)", 13, 2, ""),
        (
            "a && b",
            3,
            2,
            "`&&` is neither an operator nor clearly a word (write AND for the operator, or put the word in quotes)",
        ),
        (
            "!a",
            1,
            2,
            "`!a` is neither an operator nor clearly a word (write - for the operator, or put the word in quotes)",
        ),
        (
            "a\u{fffd}",
            2,
            1,
            "U+FFFD cannot be searched for (it stands for bytes that are no text; write * in its place)",
        ),
        ("\"\u{1b}[2Jx\":1", 8, 1, ""),
        ("x\u{1b}x:1", 1, 3, "unknown field `x\\u{1b}x`"),
    ] {
        let error = Expression::parse(expression).expect_err(expression);
        assert_eq!((error.column, error.length), (column, length), "{expression}: {error}");
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("column {column}: {said}")), "{expression}: {shown}");
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(MAX_DEPTH)).is_ok());
    let refused = |text: &str| Expression::parse(text).unwrap_err();
    assert_eq!(refused(&nested(MAX_DEPTH + 1)).mistake, Mistake::TooDeep { limit: MAX_DEPTH });
    assert_eq!(refused(&"(".repeat(MAX_LENGTH)).mistake, Mistake::TooDeep { limit: MAX_DEPTH });
    assert!(Expression::parse(&"a ".repeat(MAX_TERMS)).is_ok());
    assert_eq!(refused(&"a ".repeat(MAX_TERMS + 1)).mistake, Mistake::TooManyTerms { limit: MAX_TERMS });
    let list = format!("user:({})", "a ".repeat(MAX_TERMS + 1));
    assert_eq!(refused(&list).mistake, Mistake::TooManyTerms { limit: MAX_TERMS });
    assert!(Expression::parse(&"é".repeat(MAX_LENGTH)).is_ok());
    assert_eq!(refused(&"a".repeat(MAX_LENGTH + 1)).mistake, Mistake::TooLong { limit: MAX_LENGTH });
    assert!(Expression::parse(&format!("{}a", "-".repeat(MAX_LENGTH - 1))).is_ok());
    // Short as it is written, but not when every value stands with its field.
    let long = format!("response_content_type:({})", "a ".repeat(500));
    assert_eq!(refused(&long).mistake, Mistake::TooLong { limit: MAX_LENGTH });
}
