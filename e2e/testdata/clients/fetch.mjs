// Fetches an address in one of Node's ways: fetch.mjs WAY URL [USER PASSWORD]. It prints the body.
import http from 'node:http'

const [way, url, ...login] = process.argv.slice(2)

async function withFetch() {
  const headers = {}
  if (login.length) headers.Authorization = 'Basic ' + Buffer.from(login.join(':')).toString('base64')
  const answer = await fetch(url, { headers })
  if (!answer.ok) throw new Error('status ' + answer.status)
  return answer.text()
}

function withHTTP() {
  const options = login.length ? { auth: login.join(':') } : {}
  return new Promise((resolve, reject) => {
    http.get(url, options, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error('status ' + answer.statusCode))
      let body = ''
      answer.on('data', (part) => { body += part }).on('end', () => resolve(body))
    }).on('error', reject)
  })
}

console.log(await { fetch: withFetch, http: withHTTP }[way]())
