//! The secret in the live page's URL: whoever has it may stop the drill.

/// 128 random bits in hexadecimal digits.
pub struct Token(String);

impl Token {
    /// A fresh one.
    pub fn fresh() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `given` is it. Takes as long for a near miss as for a far one.
    pub fn is(&self, given: &str) -> bool {
        let differs = self.0.bytes().zip(given.bytes()).fold(0, |differs, (own, other)| differs | (own ^ other));
        given.len() == self.0.len() && std::hint::black_box(differs) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_it() {
        let token = Token::fresh();
        assert!(token.is(token.as_str()) && token.as_str().len() == 32);
        assert!(!token.is("") && !token.is(&token.as_str()[1..]) && !token.is(&format!("{}0", token.as_str())));
        assert!(!token.is(Token::fresh().as_str()));
    }
}
