"""The commands that ask a server, as anybody may: they reach it through ``client`` alone and know no data folder."""
