// Runs before the first paint: says that there is a script, so that nothing jumps when the others arrive.
document.documentElement.classList.remove("no-js");
