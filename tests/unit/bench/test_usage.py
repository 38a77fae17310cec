from bench.usage import TICKS, Stat, parse_pss

STAT = "4242 (a (bad) name) S 17 4242 4242 0 -1 4194560 9 8 7 6 100 50 20 30 20 0 3 0 987654 1 2 3"


def test_fields_are_found_behind_a_name_with_blanks_and_parentheses():
    stat = Stat.parse(STAT)

    assert (stat.pid, stat.state, stat.parent, stat.started) == (4242, "S", 17, 987654)


def test_cpu_time_includes_the_system_s_and_that_of_children_who_ended():
    assert Stat.parse(STAT).cpu_seconds == (100 + 50 + 20 + 30) / TICKS


def test_proportional_memory_is_read_from_its_own_line():
    assert parse_pss("00400000-7fff [rollup]\nRss:  900 kB\nPss:  321 kB\nPss_Anon:  300 kB\n") == 321


def test_a_process_without_memory_holds_none():
    assert parse_pss("") == 0
