//! A headless Chromium, driven by its own driver over WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::http::ask;
use super::python::validator;

/// The key of an element's reference, as the standard has it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window. Ends with this value.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// Starts a browser with a window of this size.
    pub fn start(width: u32, height: u32) -> Self {
        // Of two drivers that started at the same moment on a slow machine, both ended before they named their port: seen
        // twice, and not explained.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut driver = started.expect("chromedriver: scripts/need.sh chromedriver");
        let mut said = Vec::new();
        let port = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap).find_map(|line| {
            let port =
                line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.').parse());
            said.push(line);
            port
        });
        let Some(Ok(port)) = port else { panic!("chromedriver named no port: {said:#?}, {:?}", driver.wait()) };
        drop(turn);
        let mut browser = Self { driver, address: ([127, 0, 0, 1], port).into(), session: String::new() };
        // In a container there is neither a user namespace for the sandbox nor room in /dev/shm.
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments }
        } } });
        let made = browser.call("POST", "/session", &capabilities);
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = ask(self.address, method, path, &[("content-type", "application/json")], &body).unwrap();
        let value = answer.json()["value"].clone();
        assert!(answer.status.is_success(), "{method} {path}: {value}");
        value
    }

    fn of_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    pub fn open(&self, url: &str) {
        self.of_session("POST", "/url", &json!({ "url": url }));
    }

    /// The value of a JavaScript expression.
    pub fn value(&self, expression: &str) -> Value {
        self.of_session("POST", "/execute/sync", &json!({ "script": format!("return {expression};"), "args": [] }))
    }

    /// The value of a JavaScript expression in the frame that `selector` finds.
    pub fn value_inside(&self, selector: &str, expression: &str) -> Value {
        let frame = self.of_session("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        self.of_session("POST", "/frame", &json!({ "id": frame }));
        let value = self.value(expression);
        self.of_session("POST", "/frame/parent", &json!({}));
        value
    }

    /// The rules of accessible pages that the page breaks as it is now, and where, as axe-core judges it.
    pub fn broken_rules(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(validator("axe_playwright_python/axe.min.js")).unwrap();
        let judge = "axe.run(document, { resultTypes: ['violations'] }).then(({ passes, violations }) => arguments[0]({ \
                     passed: passes.length, \
                     broken: violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target)}`) }))";
        let script = json!({ "script": format!("{axe}\n{judge}"), "args": [] });
        let judged = self.of_session("POST", "/execute/async", &script);
        // Otherwise it looked at nothing.
        assert!(judged["passed"].as_u64().unwrap() > 10, "{judged}");
        serde_json::from_value(judged["broken"].clone()).unwrap()
    }

    /// Clicks as a person would: the element must be visible and nothing may cover it.
    pub fn click(&self, selector: &str) {
        let found = self.of_session("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let element = found[ELEMENT].as_str().unwrap();
        self.of_session("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Answers the question of a dialog with OK.
    pub fn accept(&self) {
        self.of_session("POST", "/alert/accept", &json!({}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser; the driver alone would leave it.
            let path = format!("/session/{}", self.session);
            let _ = ask(self.address, "DELETE", &path, &[], "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
