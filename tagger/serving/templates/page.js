'use strict'
const MOST_SHOWN = 5 // alternatives of an entity
const WAIT = 150 // milliseconds after the last key
const byId = id => document.getElementById(id)
const [text, model, least, token, tagged, details] = ['text', 'model', 'least', 'token', 'tagged', 'details'].map(byId)
let models = [], answer = null, asked = '', running = null, timer = 0

const element = (name, content = '', attributes = {}) => {
  const made = document.createElement(name)
  made.textContent = content
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}
const percent = score => `${(100 * score).toFixed(score > 0.999 || score < 0.01 ? 2 : 1)}%`
const hue = label => Math.round(Math.max(0, chosenModel().labels.indexOf(label)) * 137.508) % 360
const chosenModel = () => models.find(one => one.name === model.value) || {labels: [], plain: false, gates: false}

const ask = async (path, content, signal) => {
  const headers = {'Content-Type': 'application/json'}
  if (token.value) headers.Authorization = `Bearer ${token.value}`
  const how = content === undefined ? {headers, signal} : {method: 'POST', headers, signal, body: JSON.stringify(content)}
  const response = await fetch(path, how)
  if (response.ok) return response
  if (response.status === 401) byId('token-row').hidden = false
  let message = `${response.status} ${response.statusText}`
  try { message = (await response.json()).error.message } catch { /* no JSON: a proxy's answer */ }
  throw new Error(message)
}
const problem = message => {
  byId('problem').textContent = message
  byId('problem').hidden = !message
}

// what is marked: entities, or every token of a model of plain tags
const marks = document_ => {
  if (!chosenModel().plain) return document_.entities.map((one, number) => ({...one, number}))
  return document_.sentences.flatMap(sentence => sentence.offsets.map(([start, end], place) => (
    {start, end, label: sentence.tags[place], text: sentence.tokens[place], score: sentence.scores[place]})))
}
const entitiesOf = (sentence, tags) => {
  const found = []
  tags.forEach((tag, place) => {
    const [start, end] = sentence.offsets[place]
    const label = tag.slice(2)
    if (tag[0] === 'B' || (tag[0] === 'I' && !found.some(one => one.last === place - 1 && one.label === label)))
      found.push({start, end, label, last: place})
    else if (tag[0] === 'I') Object.assign(found.at(-1), {end, last: place})
  })
  return found
}
// what the other probable taggings of its sentence say of the place of a mark, most probable first
const alternatives = mark => {
  const sentence = answer.sentences.find(one => one.start <= mark.start && mark.end <= one.end)
  if (!sentence || !sentence.alternatives) return []
  const characters = Array.from(asked), sums = new Map()
  for (const {tags, score} of sentence.alternatives) {
    const place = sentence.offsets.findIndex(([start]) => start === mark.start)
    const here = chosenModel().plain
      ? [tags[place]]
      : entitiesOf(sentence, tags).filter(one => one.start < mark.end && one.end > mark.start)
        .map(one => `${characters.slice(one.start, one.end).join('')} ${one.label}`)
    const name = here.join(', ') || 'not marked'
    sums.set(name, (sums.get(name) || 0) + score)
  }
  return [...sums].sort((one, two) => two[1] - one[1]).slice(0, MOST_SHOWN)
}

const choose = (mark, shown) => {
  for (const one of tagged.querySelectorAll('.chosen')) one.classList.remove('chosen')
  shown.classList.add('chosen')
  const list = document.createElement('ul')
  for (const [name, score] of alternatives(mark)) list.append(element('li', `${name}: ${percent(score)}`))
  const score = mark.score === undefined ? '' : `, ${percent(mark.score)}`
  details.replaceChildren(element('strong', `${mark.text}: ${mark.label}${score}`))
  if (list.children.length > 0) details.append(element('div', 'In the most probable taggings of the sentence:'), list)
  details.hidden = false
}

const show = () => {
  const characters = Array.from(asked), part = (start, end) => characters.slice(start, end).join('')
  const shown = marks(answer).filter(one => (one.score ?? 1) >= Number(least.value))
  const parts = [], rows = []
  let position = 0
  for (const mark of shown) {
    const made = element('mark', mark.text, {tabindex: '0', role: 'button', 'aria-controls': 'details'})
    made.style.setProperty('--hue', hue(mark.label))
    made.append(element('small', mark.label))
    for (const event of ['mouseenter', 'focus', 'click']) made.addEventListener(event, () => choose(mark, made))
    parts.push(part(position, mark.start), made)
    position = mark.end
    const row = document.createElement('tr')
    row.append(element('td', mark.text), element('td', mark.label),
      element('td', mark.score === undefined ? '' : percent(mark.score)), element('td', `${mark.start}–${mark.end}`))
    rows.push(row)
  }
  tagged.replaceChildren(...parts, part(position))
  byId('table').tBodies[0].replaceChildren(...rows)
  details.hidden = true
  byId('json').textContent = JSON.stringify(result(), null, 2)
  byId('status').textContent = `${shown.length} marked`
}
const result = () => {
  const kept = answer.entities.filter(one => (one.score ?? 1) >= Number(least.value))
  const tokens = answer.sentences.map(({start, end, tokens, tags, scores}) => ({start, end, tokens, tags, scores}))
  return chosenModel().plain ? {text: asked, sentences: tokens} : {text: asked, entities: kept}
}
const showSentences = () => {
  const characters = Array.from(asked)
  byId('sentence').replaceChildren(...answer.sentences.map(({start, end}, number) => {
    const words = characters.slice(start, Math.min(end, start + 60)).join('')
    return element('option', `${number + 1}: ${words}${end - start > 60 ? '…' : ''}`, {value: String(number)})
  }))
  byId('gates-part').hidden = !chosenModel().gates || answer.sentences.length === 0
  byId('gates').hidden = true
}

const tag = async () => {
  running?.abort()
  const own = running = new AbortController()
  const given = text.value
  try {
    const wanted = {text: given, model: model.value || null, scores: true, n_best: 5, tokens: true}
    const found = await (await ask('tag', wanted, own.signal)).json()
    if (own !== running) return
    answer = found.documents[0]
    asked = given
    problem('')
    show()
    showSentences()
  } catch (error) {
    if (error.name !== 'AbortError') problem(error.message)
  }
}
const soon = () => { clearTimeout(timer); timer = setTimeout(tag, WAIT) }

const begin = async () => {
  try {
    models = (await (await ask('models')).json()).models
    model.replaceChildren(...models.map(one => element('option', one.name, {value: one.name})))
    await tag()
  } catch (error) { problem(error.message) }
}
text.addEventListener('input', soon)
model.addEventListener('change', tag)
token.addEventListener('change', begin)
byId('form').addEventListener('submit', event => event.preventDefault())
least.addEventListener('input', () => {
  byId('least-shown').textContent = `${Math.round(100 * least.value)}%`
  if (answer) show()
})
byId('copy').addEventListener('click', async () => {
  if (!answer) return
  try {
    await navigator.clipboard.writeText(JSON.stringify(result(), null, 2))
    byId('copied').textContent = 'copied'
  } catch { // not allowed: select it instead
    byId('json').parentElement.open = true
    getSelection().selectAllChildren(byId('json'))
    byId('copied').textContent = 'selected below; copy it with the keyboard'
  }
})
byId('show-gates').addEventListener('click', async () => {
  try {
    const wanted = {text: asked, model: model.value, sentence: Number(byId('sentence').value)}
    byId('gates').srcdoc = await (await ask('gates', wanted)).text()
    byId('gates').hidden = false
    problem('')
  } catch (error) { problem(error.message) }
})
begin()
