# Fetches an address with one of Ruby's ways: fetch.rb WAY URL [USER PASSWORD]. It prints the body.
require "net/http"
require "open-uri"

way, url, *login = ARGV
address = URI(url)
case way
when "net-http"
  request = Net::HTTP::Get.new(address)
  request.basic_auth(*login) unless login.empty?
  answer = Net::HTTP.start(address.host, address.port) { |http| http.request(request) }
  answer.value # raises unless 2xx
  puts answer.body
when "open-uri"
  options = login.empty? ? {} : { http_basic_authentication: login }
  puts address.open(options).read
else
  abort "no way #{way}"
end
