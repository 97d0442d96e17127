"""Why a study has no build, and the smallest changes that give it one."""
