"""Source triggers at work: deliveries of git servers, looks at their repositories, and what becomes of a change."""
