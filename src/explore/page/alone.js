'use strict';
/* The explorer as a page of its own. */
explorer(document.getElementById('explorer'), {
  named: name => { document.title = name; },
}).look(true);
