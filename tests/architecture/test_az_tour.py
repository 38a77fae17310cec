from tests.e2e.az.tour.commands import LEAST, STEPS, succeeding


def test_no_command_of_az_stops_to_count() -> None:
    assert len(succeeding()) >= LEAST, "a command that succeeded is marked as to come"


def test_each_command_is_once_on_the_list() -> None:
    commands = [step.command for step in STEPS]
    assert sorted(set(commands)) == sorted(commands)
