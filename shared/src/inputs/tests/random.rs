use std::sync::Arc;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::inputs::meter::{FUEL, json_weight};

/// The alphabet of the language, which reaches more of the parser than any text does.
const TOKENS: &str = r#"
    trigger nodes fetch output execution items list a b map filter all exists has default size
    lower split join replace json toJson matches string int uint double bool timestamp duration
    getFullYear getDayOfWeek item index loops sort unique range slice substring merge keys round
    formatTime parseTime addDays true false null in 0 1 -1 1.5 1u 9223372036854775807
    -9223372036854775808 1e308 0x1f 'a' "b" b'c' r'\d' '''d''' '2025-01-01T00:00:00Z' '1h' '\u00e4'
    '\777' ( ) [ ] { } . , : ? + - * / % ! == != < <= > >= && || // ` ä ${ $ @ \ # ' "
"#;

const LEAVES: &str = "
    trigger trigger.items trigger.count trigger.ratio trigger.big trigger.none trigger.subject
    nodes.fetch.output.list execution.startedAt item index loops.l.item.name '%F' 1 -1 0 1.5 2u 9223372036854775807
    (-9223372036854775807-1) 18446744073709551615u 1e308 'a' '' b'x' true null [] {} '24h' '-1e9h'
    '2025-01-01T00:00:00Z' '9999-12-31T23:59:59Z' timestamp('0001-01-01T00:00:00Z')
    duration('9000000h') '+23:59'
";

/// `@` and `#` are programs.
const SHAPES: &str = "
    -(@) !(@) size(@) lower(@) upper(@) trim(@) json(@) toJson(@) string(@) int(@) uint(@)
    double(@) bool(@) timestamp(@) duration(@) (@).getFullYear() (@).getMonth() (@).getDate()
    (@).getDayOfWeek() (@).getHours() (@).getMinutes() (@).getSeconds() [@] {'k':@} (@).k
    has((@).k) (@).map(x,x) (@).all(x,x==1) (@).exists_one(x,x>1) (@)+(#) (@)-(#) (@)*(#) (@)/(#)
    (@)%(#) (@)==(#) (@)!=(#) (@)<(#) (@)>=(#) (@)&&(#) (@)||(#) (#)in(@) (@)[#] {(@):#}
    (@).contains(#) (@).startsWith(#) (@).matches(#) (@).split(#) (@).join(#) (@).replace(#,#)
    first(@) last(@) min(@) max(@) sum(@) sort(@) unique(@) flatten(@) slice(@,#) slice(#,@,@)
    range(@) keys(@) values(@) merge(@,#) substring(@,#) substring(#,@,@) padStart(#,@,#)
    urlEncode(@) base64Encode(@) base64Decode(@) sha256(@) abs(@) ceil(@) floor(@) round(@)
    round(@,#) formatTime(@,#) formatTime(#,@,@) parseTime(@,#) addDays(@,#) epochSeconds(@)
    fromEpochSeconds(@) default(trigger.items[0].name,@) default(loops.l.item,@)
    true?(@):(#) (@).map(x,#) (@).filter(x,#) [@,#] (@).getHours(#) (@).getDayOfWeek(#)
";

fn words(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}

fn sequence() -> impl Strategy<Value = String> {
    let mut tokens = words(TOKENS);
    tokens.extend([" ", "\n", "\u{0}"]);
    prop::collection::vec(select(tokens), 0..24).prop_map(|tokens| tokens.concat())
}

fn program() -> impl Strategy<Value = String> {
    let leaf = select(words(LEAVES)).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let shape = select(words(SHAPES));
        (shape, inner.clone(), inner)
            .prop_map(|(shape, a, b)| shape.replace('#', &b).replace('@', &a))
    })
}

fn check(source: &str) {
    if let Ok(template) = Template::compile(&json!(source)) {
        for bindings in [bindings(), large()] {
            let result = template.render(&bindings);
            let is_broken = matches!(result, Err(Error::Evaluator(_)));
            assert!(!is_broken, "{source}: {result:?}");
            let weight = result.map_or(0, |value| json_weight(&value, u64::MAX));
            assert!(weight <= FUEL, "{source} makes more than is paid for");
        }
    }
    let _ = Condition::compile(source).map(|condition| condition.evaluate(&bindings()));
}

/// Enough for two loops to exceed the budget.
fn large() -> Bindings {
    let items: Vec<Value> = (0..700).map(|n| json!({ "name": n, "k": "v" })).collect();
    let bindings = Bindings::new(json!({ "items": items, "subject": "a".repeat(3_000) }));
    bindings.with_loop("l", Arc::new(json!({ "name": "a" })), 3)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_fails(source in any::<String>()) {
        check(&source);
        check(&format!("${{{source}}}"));
    }

    #[test]
    fn any_sequence_of_tokens_compiles_or_fails(source in sequence()) {
        check(&source);
        check(&format!("a ${{{source}}} b"));
    }

    #[test]
    fn any_program_has_a_result_or_an_error(source in program()) {
        check(&format!("${{{source}}}"));
    }
}
