//! Rows and tables of answers, in words, for all renderings.

/// A row of the table of answers.
pub struct Row {
    /// What a team asks.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// The 90 % interval; empty without one.
    pub interval: String,
}

impl Row {
    /// A row without an interval.
    pub fn of(question: impl Into<String>, answer: impl Into<String>) -> Self {
        Row { question: question.into(), answer: answer.into(), interval: String::new() }
    }
}

/// A table that says more about an answer.
pub struct Detail {
    /// Its place on the page, `a-z-`.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What to know to read it.
    pub about: String,
    /// The heads of its columns.
    pub heads: Vec<String>,
    /// The first column that holds figures.
    pub figures_from: usize,
    /// Its rows, as many cells as there are heads.
    pub rows: Vec<Vec<String>>,
}
