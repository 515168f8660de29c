//! Escapes from the expression languages of other workflow engines and template engines:
//! n8n's (CVE-2025-68613, CVE-2026-1470 and their kin) and
//! <https://github.com/swisskyrepo/PayloadsAllTheThings/tree/master/Server%20Side%20Template%20Injection>.

use super::*;

const PAYLOADS: [&str; 50] = [
    "(function(){ return this.process.mainModule.require('child_process').execSync('id') })()",
    "this.constructor.constructor('return process')().env",
    "$json.constructor.constructor('return process')()",
    "[].constructor.constructor('return this')()",
    "''['constructor']['constructor']('return process.env')()",
    "trigger.constructor",
    "trigger.__proto__",
    "trigger['__proto__']['polluted']",
    "trigger.subject.constructor",
    "nodes.constructor.constructor('return 1')()",
    "nodes['__proto__'].output",
    "({}).toString.constructor('return process')()",
    "Object.getPrototypeOf(trigger)",
    "Reflect.ownKeys(trigger)",
    "new Function('return 1')()",
    "eval('1+1')",
    "globalThis.process",
    "process.env",
    "process.mainModule.require('fs')",
    "require('child_process')",
    "import('fs')",
    "(() => process)()",
    "`${process.env}`",
    "$env.HOME",
    "$secrets.key",
    "$execution.customData",
    "$workflow.constructor",
    "$node['fetch'].json",
    "$items('fetch')",
    "$jmespath(trigger, '@')",
    "Error.prepareStackTrace",
    "with(process){env}",
    "getClass().forName('java.lang.Runtime')",
    "T(java.lang.Runtime).getRuntime().exec('id')",
    "''.__class__.__mro__[1].__subclasses__()",
    "cycler.__init__.__globals__.os.popen('id').read()",
    "request.application.__globals__",
    "config.items()",
    "env.get('HOME')",
    "optional.of(1).value()",
    "$json.x.constructor['constructor']('return global')().process.env",
    "[].map.constructor('return process')().mainModule.require('fs')",
    "with(function(){}.constructor){ return this('process') }",
    "DateTime.now().constructor.constructor('return process')()",
    "$('Webhook').item.json.body",
    "$input.all()[0].json",
    "$evaluateExpression('process.env')",
    "$fromAI('x', 'y')",
    "Object.defineProperty(Error, 'prepareStackTrace', { value: e => e })",
    "new Proxy({}, { get: () => process })",
];

#[test]
fn escape_payloads_reach_nothing() {
    for payload in PAYLOADS {
        let result = render(json!(format!("${{{payload}}}")));
        assert!(result.is_err(), "{payload}: {result:?}");
    }
}

/// What workflow engines and template engines evaluate, `@` being the payload.
const MARKERS: [&str; 28] = [
    "@",
    "${@}",
    "$${@}",
    "$$${@}",
    "${ @ }",
    "${@",
    "@}",
    "${${@}}",
    "${'${@}'}",
    "a ${@} b ${@} c",
    "{{@}}",
    "{{ @ }}",
    "={{ @ }}",
    "={{@}}{{@}}",
    "=@",
    "${{@}}",
    "#{@}",
    "@{@}",
    "*{@}",
    "[[@]]",
    "<%= @ %>",
    "{% @ %}",
    "{%- @ -%}",
    "$(@)",
    "`@`",
    "{\"a\": \"${@}\"}",
    "\\u0024{@}",
    "'} ${@} {'",
];

/// Ways for data through expressions that give it back.
const WAYS: [&str; 12] = [
    "trigger.text",
    "nodes.fetch.output.list[0]",
    "item.text",
    "loops.l.item.text",
    "default(trigger.text, '')",
    "json(toJson(trigger)).text",
    "[trigger.text].map(t, t)[0]",
    "trigger.text.split(trigger.text).join(trigger.text)",
    "first(sort([trigger.text]))",
    "keys({trigger.text: 1})[0]",
    "base64Decode(base64Encode(trigger.text))",
    "'' + trigger.text",
];

fn marked() -> Vec<String> {
    let own = [
        "execution.id",
        "toJson(trigger)",
        "1 + 1",
        "nodes.fetch.output",
    ];
    let payloads: Vec<&str> = PAYLOADS.into_iter().chain(own).collect();
    let marked = MARKERS.iter().flat_map(|marker| {
        let payloads = payloads.iter();
        payloads.map(|payload| marker.replace('@', payload))
    });
    marked.collect()
}

fn with_text(text: &str) -> Bindings {
    let mut bindings = Bindings::new(json!({ "text": text })).with_execution("e-1", "");
    bindings.set_output("fetch", json!({ "list": [text], text: 1 }));
    bindings.with_loop("l", std::sync::Arc::new(json!({ "text": text })), 0)
}

#[test]
fn a_thousand_payloads_in_data_stay_data() {
    let payloads = marked();
    assert!(payloads.len() > 1_000);
    let whole = json!(WAYS.map(|way| format!("${{{way}}}")));
    let inside = json!(WAYS.map(|way| format!("<${{{way}}}>")));
    let whole = Template::compile(&whole).unwrap();
    let inside = Template::compile(&inside).unwrap();
    for text in payloads {
        let bindings = with_text(&text);
        assert_eq!(whole.render(&bindings).unwrap(), json!(WAYS.map(|_| &text)));
        let expected = json!(WAYS.map(|_| format!("<{text}>")));
        assert_eq!(inside.render(&bindings).unwrap(), expected);
    }
}

#[test]
fn what_a_node_made_of_a_payload_is_data_for_the_next() {
    let first = Template::compile(&json!({ "${trigger.text}": "${trigger.text}" })).unwrap();
    let second = Template::compile(&json!("${nodes.first.output}")).unwrap();
    for text in marked() {
        let mut bindings = with_text(&text);
        let output = first.render(&bindings).unwrap();
        assert_eq!(output, json!({ "${trigger.text}": text }));
        bindings.set_output("first", output.clone());
        assert_eq!(second.render(&bindings).unwrap(), output);
    }
}

#[test]
fn other_markers_are_plain_text() {
    for text in [
        "{{ 7 * 7 }}",
        "={{ $json }}",
        "<%= 7 * 7 %>",
        "#{7*7}",
        "{% debug %}",
        "$(id)",
        "`id`",
    ] {
        assert_eq!(render(json!(text)).unwrap(), json!(text));
    }
}
