"""Events of repositories, as triggers of tasks take them up: pushed base images, and pushes that a trigger is for."""
