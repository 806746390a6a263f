// Light or dark, before anything is seen: what was chosen here, else what the system says. No module, so that it runs first.

(() => {
  try {
    const theme = localStorage.getItem('gatelog.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is off: the system's, then.
  }
})();
