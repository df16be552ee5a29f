// Fetches a URL in Node and prints the body: fetch.mjs LIBRARY URL [USER PASSWORD]
import http from 'node:http'

const [library, url, ...login] = process.argv.slice(2)

async function withFetch() {
  const headers = {}
  if (login.length) headers.Authorization = 'Basic ' + Buffer.from(login.join(':')).toString('base64')
  const response = await fetch(url, { headers })
  if (!response.ok) throw new Error('status ' + response.status)
  return response.text()
}

function withHTTP() {
  const options = login.length ? { auth: login.join(':') } : {}
  return new Promise((resolve, reject) => {
    http.get(url, options, (response) => {
      if (response.statusCode !== 200) return reject(new Error('status ' + response.statusCode))
      let body = ''
      response.on('data', (part) => { body += part }).on('end', () => resolve(body))
    }).on('error', reject)
  })
}

console.log(await { fetch: withFetch, http: withHTTP }[library]())
