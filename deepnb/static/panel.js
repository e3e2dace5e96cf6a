// The panel of deepnb: bring a picture, watch the work, read the answer.
// One plain ES module: no bundler, no request to anywhere. Python holds the state; this file draws it.

const CHUNK = 1 << 20; // bytes in one message; the notebook server refuses messages of 10 MiB and more
const WINDOW = 4; // chunks on their way without an answer
const PATIENCE = 15000; // milliseconds without an answer before the person is told
const PULSE = 5000; // milliseconds between two signs of life

const SKELETON = `
  <div class="dn-bring">
    <p class="dn-invite">
      <span class="dn-words">Drop a picture here, paste it, or</span>
      <label class="dn-button">choose a file<input type="file" data-lm-suppress-shortcuts="true"
        aria-label="Choose a picture file" accept="image/*,.heic,.heif,.avif,.tif,.tiff"></label>
    </p>
    <p class="dn-hint">It goes to this notebook's kernel and nowhere else. The original file tells most; a screenshot tells least.</p>
  </div>
  <div class="dn-work">
    <progress max="1" value="0" aria-label="Progress"></progress>
    <p class="dn-status" role="status"></p>
    <button type="button" class="dn-stop dn-button" data-lm-suppress-shortcuts="true">Stop</button>
  </div>
  <p class="dn-error" role="alert"></p>
  <p class="dn-lost" role="alert"></p>
  <div class="dn-result"></div>`;

/** An element with a class and a text; text is never read as HTML. */
function make(tag, name, text = '') {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

/** A promise that ends at the next answer of the kernel about `id`, or says that none came. */
function answers(model, id) {
  const state = { acked: -1, received: null, why: '' };
  let wake = () => {};
  const listen = (message) => {
    if (message.id !== id) return;
    if (message.kind === 'ack') state.acked = Math.max(state.acked, message.seq);
    if (message.kind === 'received') state.received = message.sha256;
    if (message.kind === 'fail') state.why = message.why;
    wake();
  };
  model.on('msg:custom', listen);
  const next = () => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('The kernel does not answer. Run this cell again, then bring the picture again.')), PATIENCE);
    wake = () => { clearTimeout(late); state.why ? reject(new Error(state.why)) : resolve(); };
  });
  return { state, next, end: () => model.off('msg:custom', listen) };
}

/** The SHA-256 of a file in hexadecimal, or '' where the browser offers none (plain http to another machine). */
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return '';
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Send a file in chunks, at most WINDOW of them unanswered; resolves once Python holds the very same bytes. */
async function upload(model, file, onProgress) {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const count = Math.max(1, Math.ceil(file.size / CHUNK));
  const { state, next, end } = answers(model, id);
  try {
    model.send({ kind: 'begin', id, name: file.name || 'pasted picture', size: file.size, count });
    for (let seq = 0; seq < count; seq += 1) {
      while (!state.why && seq - state.acked > WINDOW) await next();
      if (state.why) throw new Error(state.why);
      const bytes = await file.slice(seq * CHUNK, (seq + 1) * CHUNK).arrayBuffer();
      model.send({ kind: 'chunk', id, seq }, undefined, [bytes]);
      onProgress((seq + 1) / count);
    }
    model.send({ kind: 'end', id, sha256: await sha256(file) });
    while (state.received === null) {
      if (state.why) throw new Error(state.why);
      await next();
    }
  } finally {
    end();
  }
}

/** Whether the page is dark: JupyterLab and Voila say so on the body, elsewhere the system does. */
function isDark() {
  const theme = document.body.dataset.jpThemeLight;
  return theme ? theme === 'false' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** Bring a picture: choose, drop, or paste while the pointer or the focus is in the panel. */
function listenForPictures(el, take) {
  const bring = el.querySelector('.dn-bring');
  const input = el.querySelector('input[type=file]');
  let depth = 0;
  const over = (step) => { depth = Math.max(0, depth + step); bring.classList.toggle('dn-over', depth > 0); };
  const onDrag = (event) => { event.preventDefault(); event.stopPropagation(); };
  el.addEventListener('dragenter', (event) => { onDrag(event); over(+1); });
  el.addEventListener('dragover', onDrag);
  el.addEventListener('dragleave', () => over(-1));
  el.addEventListener('drop', (event) => { onDrag(event); over(-depth); take(event.dataTransfer.files[0], 'dropped'); });
  input.addEventListener('change', () => { take(input.files[0], 'chosen'); input.value = ''; });
  const onPaste = (event) => {
    const typing = event.target.closest?.('input:not([type=file]), textarea, [contenteditable], .cm-editor');
    if (!el.contains(event.target) && (typing || !el.matches(':hover'))) return;
    event.preventDefault();
    event.stopPropagation();
    take([...event.clipboardData.files][0], 'pasted');
  };
  document.addEventListener('paste', onPaste, true);
  return () => document.removeEventListener('paste', onPaste, true);
}

/** One figure with its alt text and a line on how to read it. */
function figure(still, url) {
  const node = make('figure', `dn-figure dn-${still.name}`);
  const image = make('img');
  image.src = url;
  image.alt = still.alt;
  node.append(image, make('figcaption', '', still.caption));
  return node;
}

/** One section of the answer: heading, figures, sentences; folded away where it says so. */
function section(part, pictures) {
  const node = make(part.folded ? 'details' : 'section', `dn-section dn-${part.name}`);
  const heading = make(part.folded ? 'summary' : 'h3', 'dn-heading', part.title);
  if (part.folded) heading.dataset.lmSuppressShortcuts = 'true';
  node.append(heading);
  const texts = part.texts.map((text, index) => make('p', index ? '' : 'dn-first', text));
  if (!part.figures.length) { node.append(...texts); return node; }
  const gallery = make('div', 'dn-gallery');
  gallery.append(...part.figures.filter((name) => pictures.has(name)).map((name) => pictures.get(name)));
  node.append(...texts, gallery);
  return node;
}

function render({ model, el }) {
  el.classList.add('dn-root');
  el.setAttribute('role', 'region');
  el.setAttribute('aria-label', 'Investigate a picture');
  el.innerHTML = SKELETON;
  const find = (selector) => el.querySelector(selector);
  const pictures = new Map(); // name of a figure -> its node
  let sending = false;
  let lastSign = Date.now();

  const say = (selector, text) => { const node = find(selector); if (node.textContent !== text) node.textContent = text; };

  const drawWork = () => {
    const busy = model.get('busy');
    el.classList.toggle('dn-busy', busy || sending);
    el.classList.toggle('dn-filled', model.get('sections').length > 0);
    find('.dn-stop').disabled = !busy;
    if (!sending) {
      find('progress').value = model.get('progress');
      say('.dn-status', model.get('status'));
      say('.dn-error', model.get('error'));
    }
  };

  const drawResult = () => {
    const open = new Set([...el.querySelectorAll('details[open]')].map((node) => node.className));
    const nodes = model.get('sections').map((part) => section(part, pictures));
    nodes.forEach((node) => { if (open.has(node.className)) node.open = true; });
    find('.dn-result').dataset.verdict = model.get('verdict');
    find('.dn-result').replaceChildren(...nodes);
    drawWork();
  };

  const take = async (file, how) => {
    if (sending) return;
    if (!file) {
      say('.dn-error', `What was ${how} holds no file. Save the picture as a file first, then choose it here.`);
      return;
    }
    sending = true;
    say('.dn-error', '');
    say('.dn-status', `Bringing ${file.name || 'the picture'} to the kernel`);
    drawWork();
    try {
      await upload(model, file, (share) => { find('progress').value = share; });
      sending = false;
      drawWork();
    } catch (error) {
      sending = false;
      drawWork();
      say('.dn-status', '');
      say('.dn-error', error.message);
    }
  };

  const onMessage = (message, buffers) => {
    lastSign = Date.now();
    say('.dn-lost', '');
    if (message.kind === 'forget') {
      pictures.forEach((node) => URL.revokeObjectURL(node.querySelector('img').src));
      pictures.clear();
    }
    if (message.kind === 'still') {
      const old = pictures.get(message.still.name);
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.still.type }));
      pictures.set(message.still.name, figure(message.still, url));
      if (old) URL.revokeObjectURL(old.querySelector('img').src);
      drawResult();
    }
  };

  const pulse = setInterval(() => {
    if (Date.now() - lastSign >= PATIENCE) {
      say('.dn-lost', 'The kernel does not answer: it is busy with another cell, or it has stopped. What is shown stays; to read another picture, run this cell again.');
    }
    try { model.send({ kind: 'ping' }); } catch { /* the connection is closed for good: the sentence above says so */ }
  }, PULSE);

  const askForStyle = () => { model.send({ kind: 'hello', dark: isDark() }); el.classList.toggle('dn-dark', isDark()); };
  const theme = new MutationObserver(askForStyle);
  theme.observe(document.body, { attributes: true, attributeFilter: ['data-jp-theme-light'] });
  const forgetPaste = listenForPictures(el, take);
  find('.dn-stop').addEventListener('click', () => model.send({ kind: 'stop' }));

  const watched = [
    ['msg:custom', onMessage], ['change:sections change:verdict', drawResult],
    ['change:busy change:progress change:status change:error', drawWork],
  ];
  watched.forEach(([event, act]) => model.on(event, act));
  drawResult();
  askForStyle();
  return () => {
    clearInterval(pulse);
    theme.disconnect();
    forgetPaste();
    watched.forEach(([event, act]) => model.off(event, act));
    pictures.forEach((node) => URL.revokeObjectURL(node.querySelector('img').src));
  };
}

export default { render };
