# Fetches a URL in Ruby and prints the body: fetch.rb LIBRARY URL [USER PASSWORD]
require "net/http"
require "open-uri"

library, url, *login = ARGV
address = URI(url)
case library
when "net-http"
  request = Net::HTTP::Get.new(address)
  request.basic_auth(*login) unless login.empty?
  response = Net::HTTP.start(address.host, address.port) { |http| http.request(request) }
  response.value # raises unless 2xx
  puts response.body
when "open-uri"
  options = login.empty? ? {} : { http_basic_authentication: login }
  puts address.open(options).read
else
  abort "no library #{library}"
end
