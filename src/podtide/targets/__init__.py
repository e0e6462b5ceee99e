"""What is scaled: how it is seen (`view`) and how a decision is carried out (`apply`)."""
