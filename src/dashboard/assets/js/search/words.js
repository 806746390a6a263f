// The words of the search, the request and the tail, in both languages.

import { addWords } from '../i18n.js';
import english from '../words/search.en.js';
import korean from '../words/search.ko.js';

addWords('en', english);
addWords('ko', korean);
