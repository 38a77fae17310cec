"""Who may: principals, credentials, tokens, and one question, "may P do A on R"."""
