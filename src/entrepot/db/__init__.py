"""The catalog's database: one engine, its lock, the tables, the migrations, the read door and the write door."""
