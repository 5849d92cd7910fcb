//! The modules of a crate, and which file needs which.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Item, UseTree, Visibility};

/// A file's need for another file of its crate. Paths are relative to the crate's root folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub from: PathBuf,
    pub to: PathBuf,
    pub line: usize,
    /// The path as written.
    pub path: String,
}

/// What was read from a crate.
pub struct Crate {
    pub needs: Vec<Need>,
    /// The literals of each file as written, texts including their quotes.
    pub literals: Vec<(PathBuf, String)>,
}

/// A module: a file, or a block in one.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: Vec<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    uses: Vec<Use>,
    literals: Vec<String>,
}

/// A path used somewhere in a module.
struct Use {
    path: Vec<String>,
    line: usize,
    /// Whether it only passes a name on.
    re_export: bool,
}

struct Modules(Vec<Module>);

impl Crate {
    /// Reads the crate with the root file `root`, without test-only code.
    pub fn read(root: &Path) -> Self {
        let mut modules = Modules(Vec::new());
        modules.file(root.parent().unwrap(), Path::new(root.file_name().unwrap()), Path::new(""), None);
        let literals = |module: &Module| {
            let file = module.file.clone();
            module.literals.clone().into_iter().map(move |literal| (file.clone(), literal))
        };
        Self { needs: modules.needs(), literals: modules.0.iter().flat_map(literals).collect() }
    }
}

impl Modules {
    /// Reads a file whose child modules are in `folder`.
    fn file(&mut self, base: &Path, file: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text = std::fs::read_to_string(base.join(file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.module(base, file, folder, parent, &parsed.items)
    }

    fn module(&mut self, base: &Path, file: &Path, folder: &Path, parent: Option<usize>, items: &[Item]) -> usize {
        let this = self.0.len();
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: Vec::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            uses: Vec::new(),
            literals: Vec::new(),
        });
        for item in items.iter().filter(|item| !for_tests(item)) {
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = match &module.content {
                        Some((_, items)) => self.module(base, file, &folder.join(&name), Some(this), items),
                        None => {
                            let beside = folder.join(format!("{name}.rs"));
                            let inside = folder.join(&name).join("mod.rs");
                            let path = if base.join(&beside).exists() { beside } else { inside };
                            self.file(base, &path, &folder.join(&name), Some(this))
                        }
                    };
                    self.0[this].children.insert(name, child);
                }
                Item::Use(one) => {
                    let public = !matches!(one.vis, Visibility::Inherited);
                    self.0[this].import(Vec::new(), &one.tree, public);
                }
                other => {
                    self.0[this].items.extend(name(other));
                    paths(other.to_token_stream(), &mut self.0[this].uses);
                    literals(other.to_token_stream(), &mut self.0[this].literals);
                }
            }
        }
        this
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for (number, module) in self.0.iter().enumerate() {
            for used in &module.uses {
                let Some(found) = self.resolve(number, &used.path, 0) else { continue };
                let (from, to) = (&module.file, &self.0[found].file);
                let passed_on = used.re_export && self.within(found, number);
                if from != to && !passed_on {
                    let path = used.path.join("::");
                    needs.push(Need { from: from.clone(), to: to.clone(), line: used.line, path });
                }
            }
        }
        needs
    }

    /// Whether `module` is inside `ancestor`.
    fn within(&self, module: usize, ancestor: usize) -> bool {
        let parents = std::iter::successors(Some(module), |&module| self.0[module].parent);
        parents.into_iter().any(|module| module == ancestor)
    }

    /// The module that defines what `path` means in `module`; `None` if it belongs to another crate.
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Option<usize> {
        assert!(depth < 64, "{path:?} leads nowhere in {}", self.0[module].file.display());
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.look_up(0, rest, depth),
            "self" => self.look_up(module, rest, depth),
            "super" => {
                let (mut above, mut rest) = (self.0[module].parent?, rest);
                while rest.first().is_some_and(|next| next == "super") {
                    (above, rest) = (self.0[above].parent?, &rest[1..]);
                }
                self.look_up(above, rest, depth)
            }
            name => {
                let here = &self.0[module];
                let known = here.children.contains_key(name) || here.imports.contains_key(name);
                if known { self.look_up(module, path, depth) } else { None }
            }
        }
    }

    /// The module that defines `path`, as seen from inside `module`.
    fn look_up(&self, module: usize, path: &[String], depth: usize) -> Option<usize> {
        let here = &self.0[module];
        let Some((name, rest)) = path.split_first() else { return Some(module) };
        if here.items.contains(name) {
            return Some(module);
        }
        if let Some(&child) = here.children.get(name) {
            return self.look_up(child, rest, depth);
        }
        if let Some(import) = here.imports.get(name) {
            let whole: Vec<String> = import.iter().chain(rest).cloned().collect();
            // A name imported from itself, as in `use toml;`, belongs to another crate.
            return if whole.first() == Some(name) && !here.children.contains_key(name) {
                None
            } else {
                self.resolve(module, &whole, depth + 1)
            };
        }
        for glob in &here.globs {
            if let Some(from) = self.resolve(module, glob, depth + 1)
                && from != module
                && self.defines(from, name)
            {
                return self.look_up(from, path, depth + 1);
            }
        }
        // Created by a macro.
        Some(module)
    }

    fn defines(&self, module: usize, name: &String) -> bool {
        let module = &self.0[module];
        module.items.contains(name) || module.children.contains_key(name) || module.imports.contains_key(name)
    }
}

impl Module {
    fn import(&mut self, before: Vec<String>, tree: &UseTree, public: bool) {
        let mut used = |path: Vec<String>, line| self.uses.push(Use { path, line, re_export: public });
        match tree {
            UseTree::Path(path) => {
                let before = [before, vec![path.ident.to_string()]].concat();
                self.import(before, &path.tree, public);
            }
            UseTree::Name(name) if name.ident == "self" => {
                used(before.clone(), name.ident.span().start().line);
                if let Some(last) = before.last() {
                    self.imports.insert(last.clone(), before);
                }
            }
            UseTree::Name(name) => {
                let path = [before, vec![name.ident.to_string()]].concat();
                used(path.clone(), name.ident.span().start().line);
                self.imports.insert(name.ident.to_string(), path);
            }
            UseTree::Rename(rename) => {
                let path =
                    if rename.ident == "self" { before } else { [before, vec![rename.ident.to_string()]].concat() };
                used(path.clone(), rename.rename.span().start().line);
                self.imports.insert(rename.rename.to_string(), path);
            }
            UseTree::Glob(glob) => {
                used(before.clone(), glob.star_token.spans[0].start().line);
                self.globs.push(before);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(before.clone(), tree, public)),
        }
    }
}

/// The paths of at least two names in `tokens`, including those in macros.
fn paths(tokens: TokenStream, found: &mut Vec<Use>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                // `pub(in crate::here)` is visibility, not a dependency.
                let first = group.stream().into_iter().next();
                let visibility = group.delimiter() == Delimiter::Parenthesis
                    && matches!(&first, Some(TokenTree::Ident(ident)) if ident == "in");
                if !visibility {
                    paths(group.stream(), found);
                }
                at += 1;
            }
            TokenTree::Ident(ident) => {
                let (start, line) = (at, ident.span().start().line);
                let mut path = vec![ident.to_string()];
                while let (Some(TokenTree::Punct(a)), Some(TokenTree::Punct(b)), Some(TokenTree::Ident(next))) =
                    (tokens.get(at + 1), tokens.get(at + 2), tokens.get(at + 3))
                    && (a.as_char(), b.as_char()) == (':', ':')
                {
                    path.push(next.to_string());
                    at += 3;
                }
                if path.len() > 1 && !goes_on(&tokens[..start]) {
                    found.push(Use { path, line, re_export: false });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// The literals in `tokens`, including those in macros.
fn literals(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => found.push(literal.to_string()),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Whether a path continues after `before`, as in `<T as Trait>::Item::of`.
fn goes_on(before: &[TokenTree]) -> bool {
    let colon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    matches!(before, [.., a, b] if colon(a) && colon(b))
}

fn for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string().replace(' ', "") == "cfg(test)"
    })
}

fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}
