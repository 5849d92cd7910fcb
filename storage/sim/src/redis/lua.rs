//! Runs scripts in Lua 5.1, as Redis does: the store's own text on the simulated keys.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::commands::{self, Refusal, double};
use super::keyspace::Keyspace;
use super::resp::Reply;

/// The keys a script works on, and what the server refuses.
struct Work {
    keys: Keyspace,
    seed: u64,
    refusal: Option<Refusal>,
    /// Whether the script has changed anything: after that, Redis no longer refuses it memory.
    dirty: bool,
}

struct Interpreter {
    lua: Lua,
    work: Rc<RefCell<Work>>,
    scripts: RefCell<HashMap<String, Function>>,
}

thread_local! {
    /// One interpreter per thread, because starting one costs more than a schedule. Scripts keep no state between
    /// calls.
    static INTERPRETER: Interpreter = Interpreter::new();
}

/// Runs a script on `keys`. `hash` is the SHA-1 of its `text`; each thread needs the text only the first time. `None`:
/// the text is unknown.
pub fn run(
    keys: &mut Keyspace,
    seed: u64,
    refusal: Option<Refusal>,
    hash: &str,
    text: Option<&[u8]>,
    names: &[Vec<u8>],
    args: &[Vec<u8>],
) -> Option<Reply> {
    INTERPRETER.with(|interpreter| {
        let script = interpreter.script(hash, text)?;
        let work = Work { keys: std::mem::take(keys), seed, refusal, dirty: false };
        *interpreter.work.borrow_mut() = work;
        let reply = interpreter.call(&script, names, args);
        *keys = std::mem::take(&mut interpreter.work.borrow_mut().keys);
        Some(reply.unwrap_or_else(|error| Reply::error(message(&error))))
    })
}

impl Interpreter {
    fn new() -> Self {
        let lua = Lua::new();
        let work = Rc::new(RefCell::new(Work { keys: Keyspace::default(), seed: 0, refusal: None, dirty: false }));
        Self::install(&lua, &work).unwrap_or_else(|error| panic!("Lua cannot be set up: {error}"));
        Self { lua, work, scripts: RefCell::default() }
    }

    fn install(lua: &Lua, work: &Rc<RefCell<Work>>) -> mlua::Result<()> {
        let redis = lua.create_table()?;
        for (name, raises) in [("call", true), ("pcall", false)] {
            let work = Rc::clone(work);
            let call = lua.create_function(move |lua, args: MultiValue| {
                let reply = work.borrow_mut().call(args)?;
                match reply {
                    Reply::Error(text) if raises => Err(mlua::Error::RuntimeError(text)),
                    reply => to_lua(lua, reply),
                }
            })?;
            redis.set(name, call)?;
        }
        for (name, field) in [("error_reply", "err"), ("status_reply", "ok")] {
            let reply = lua.create_function(move |lua, text: mlua::LuaString| {
                let table = lua.create_table()?;
                table.set(field, text)?;
                Ok(table)
            })?;
            redis.set(name, reply)?;
        }
        lua.globals().set("redis", redis)?;
        let unpack = lua.create_function(|_, (format, bytes): (mlua::LuaString, mlua::LuaString)| {
            let bytes = bytes.as_bytes();
            let word = <[u8; 4]>::try_from(bytes.get(..4).unwrap_or_default());
            match (format.as_bytes().as_ref(), word) {
                (b">I4", Ok(word)) => Ok(f64::from(u32::from_be_bytes(word))),
                _ => Err(mlua::Error::RuntimeError("struct.unpack: only `>I4` is simulated".to_owned())),
            }
        })?;
        let table = lua.create_table()?;
        table.set("unpack", unpack)?;
        lua.globals().set("struct", table)
    }

    fn script(&self, hash: &str, text: Option<&[u8]>) -> Option<Function> {
        if let Some(script) = self.scripts.borrow().get(hash) {
            return Some(script.clone());
        }
        let script = self.lua.load(text?).into_function();
        let script = script.unwrap_or_else(|error| panic!("a script does not compile: {error}"));
        self.scripts.borrow_mut().insert(hash.to_owned(), script.clone());
        Some(script)
    }

    fn call(&self, script: &Function, names: &[Vec<u8>], args: &[Vec<u8>]) -> mlua::Result<Reply> {
        for (global, list) in [("KEYS", names), ("ARGV", args)] {
            let table = self.lua.create_table_with_capacity(list.len(), 0)?;
            for (at, part) in list.iter().enumerate() {
                table.raw_set(at + 1, self.lua.create_string(part)?)?;
            }
            self.lua.globals().raw_set(global, table)?;
        }
        from_lua(script.call(())?)
    }
}

impl Work {
    fn call(&mut self, args: MultiValue) -> mlua::Result<Reply> {
        let mut parts = args.iter().map(argument);
        let name = parts.next().ok_or_else(|| mlua::Error::RuntimeError("ERR no command".to_owned()))??;
        let args = parts.collect::<mlua::Result<Vec<_>>>()?;
        let name = String::from_utf8_lossy(&name).to_ascii_uppercase();
        let refusal = self.refusal.filter(|refusal| *refusal != Refusal::OutOfMemory || !self.dirty);
        if let Some(refused) = refusal.and_then(|refusal| refusal.refuses(&name)) {
            return Ok(refused);
        }
        self.dirty |= commands::writes(&name);
        let done = commands::execute(&mut self.keys, self.seed, &name, &args);
        Ok(done.unwrap_or_else(|| Reply::error("ERR Unknown Redis command called from script")))
    }
}

fn argument(value: &Value) -> mlua::Result<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(number) => Ok(number.to_string().into_bytes()),
        Value::Number(number) => Ok(double(*number).into_bytes()),
        _ => {
            Err(mlua::Error::RuntimeError("ERR Lua redis lib command arguments must be strings or integers".to_owned()))
        }
    }
}

/// A reply as a script sees it.
fn to_lua(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    let field = |name: &str, text: String| {
        let table = lua.create_table()?;
        table.set(name, text)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Nil => Ok(Value::Boolean(false)),
        Reply::Int(number) => Ok(Value::Number(number as f64)),
        Reply::Bulk(bytes) => Ok(Value::String(lua.create_string(&bytes)?)),
        Reply::Status(text) => field("ok", text),
        Reply::Error(text) => field("err", text),
        Reply::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (at, item) in items.into_iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
        Reply::Map(_) | Reply::Push(_) => Ok(Value::Boolean(false)),
    }
}

/// A script's result as a reply.
fn from_lua(value: Value) -> mlua::Result<Reply> {
    Ok(match value {
        Value::Nil | Value::Boolean(false) => Reply::Nil,
        Value::Boolean(true) => Reply::Int(1),
        Value::Integer(number) => Reply::Int(number),
        Value::Number(number) => Reply::Int(number as i64),
        Value::String(text) => Reply::bulk(text.as_bytes()),
        Value::Table(table) => from_table(&table)?,
        other => return Err(mlua::Error::RuntimeError(format!("a script answers with a {}", other.type_name()))),
    })
}

fn from_table(table: &Table) -> mlua::Result<Reply> {
    if let Some(text) = table.raw_get::<Option<mlua::LuaString>>("err")? {
        return Ok(Reply::error(text.to_string_lossy()));
    }
    if let Some(text) = table.raw_get::<Option<mlua::LuaString>>("ok")? {
        return Ok(Reply::Status(text.to_string_lossy()));
    }
    let mut items = Vec::new();
    for at in 1.. {
        match table.raw_get::<Value>(at)? {
            Value::Nil => break,
            item => items.push(from_lua(item)?),
        }
    }
    Ok(Reply::Array(items))
}

/// The text of an error that ends a script: a command's own error unchanged, any other as a script error.
fn message(error: &mlua::Error) -> String {
    let mut error = error;
    loop {
        match error {
            mlua::Error::CallbackError { cause, .. } => error = cause,
            mlua::Error::RuntimeError(text) => {
                let first = text.lines().next().unwrap_or_default();
                let code = first.split(' ').next().unwrap_or_default();
                let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
                return if is_code { first.to_owned() } else { format!("ERR {first}") };
            }
            other => return format!("ERR {}", other.to_string().lines().next().unwrap_or_default()),
        }
    }
}
