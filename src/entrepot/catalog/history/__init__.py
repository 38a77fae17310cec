"""What a tag pointed to, when and by whom; and the way back."""
