//! Escapes from the expression languages of other workflow engines and template engines:
//! n8n's (CVE-2025-68613, CVE-2026-1470 and their kin) and
//! <https://github.com/swisskyrepo/PayloadsAllTheThings/tree/master/Server%20Side%20Template%20Injection>.

use super::*;

const PAYLOADS: [&str; 40] = [
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
];

#[test]
fn escape_payloads_reach_nothing() {
    for payload in PAYLOADS {
        let result = render(json!(format!("${{{payload}}}")));
        assert!(result.is_err(), "{payload}: {result:?}");
    }
}

#[test]
fn payloads_in_data_stay_data() {
    for payload in PAYLOADS {
        for text in [
            payload.to_owned(),
            format!("${{{payload}}}"),
            format!("{{{{{payload}}}}}"),
        ] {
            let bindings = Bindings::new(json!({ "text": text }));
            let template = Template::compile(&json!("<${trigger.text}>")).unwrap();
            let rendered = template.render(&bindings).unwrap();
            assert_eq!(rendered, json!(format!("<{text}>")));
        }
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
